// Three planes of a volume, moved by range inputs, a click, or the keys of the inputs.
for (const root of document.querySelectorAll(".viewer")) {
  const about = JSON.parse(root.querySelector("script[type='application/json']").text);
  const [X, Y, Z] = about.shape, [dx, dy, dz] = about.spacing_mm;
  const inputs = ["x", "y", "z"].map(name => root.querySelector(`[name=${name}]`));
  const choice = root.querySelector("select");
  // Across and down of each plane: axis, and whether it runs against the screen.
  const planes = { z: [0, 1], y: [0, 2], x: [1, 2] };
  const loaded = [];

  const voxels = async k => {
    if (loaded[k]) return loaded[k];
    const image = new Image();
    image.src = about.sources[k];
    await image.decode();
    const sheet = document.createElement("canvas");
    [sheet.width, sheet.height] = [image.width, image.height];
    const pen = sheet.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, 0, 0);
    const pixels = pen.getImageData(0, 0, image.width, image.height).data;
    const grey = (x, y, z) => pixels[4 * (
      (Math.floor(z / about.columns) * Y + y) * image.width
      + (z % about.columns) * X + x)];
    return loaded[k] = grey;
  };

  const draw = async () => {
    const grey = await voxels(choice.selectedIndex);
    const at = inputs.map(input => Number(input.value));
    for (const [name, [a, b]] of Object.entries(planes)) {
      const canvas = root.querySelector(`canvas[data-plane=${name}]`);
      const [width, height] = [about.shape[a], about.shape[b]];
      [canvas.width, canvas.height] = [width, height];
      canvas.style.aspectRatio =
        `${width * about.spacing_mm[a]} / ${height * about.spacing_mm[b]}`;
      const pen = canvas.getContext("2d");
      const pixels = pen.createImageData(width, height);
      const place = [...at];
      for (let i = 0; i < width; i++) for (let j = 0; j < height; j++) {
        [place[a], place[b]] = [i, j];
        const value = grey(...place), to = 4 * ((height - 1 - j) * width + i);
        const crossed = (i === at[a]) !== (j === at[b]);
        pixels.data.set(
          crossed ? [(value + 90) >> 1, (value + 200) >> 1, (value + 200) >> 1, 255]
                  : [value, value, value, 255], to);
      }
      pen.putImageData(pixels, 0, 0);
    }
    inputs.forEach((input, axis) => {
      const mm = (at[axis] - (about.shape[axis] - 1) / 2) * about.spacing_mm[axis];
      const text = `${mm.toFixed(0)} mm`;
      input.nextElementSibling.value = text;
      input.setAttribute("aria-valuetext", text);
    });
    root.dataset.ready = choice.value;
  };

  for (const canvas of root.querySelectorAll("canvas")) {
    canvas.addEventListener("click", event => {
      const [a, b] = planes[canvas.dataset.plane], box = canvas.getBoundingClientRect();
      const across = (event.clientX - box.left) / box.width;
      const up = 1 - (event.clientY - box.top) / box.height;
      inputs[a].value = Math.floor(across * about.shape[a]);
      inputs[b].value = Math.floor(up * about.shape[b]);
      draw();
    });
  }
  [...inputs, choice].forEach(control => control.addEventListener("input", draw));
  draw();
}
