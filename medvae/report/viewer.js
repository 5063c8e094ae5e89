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
      const fine = Math.max(1, Math.round(384 / Math.max(width, height)));
      [canvas.width, canvas.height] = [width * fine, height * fine];
      canvas.style.aspectRatio =
        `${width * about.spacing_mm[a]} / ${height * about.spacing_mm[b]}`;
      const plain = document.createElement("canvas");
      [plain.width, plain.height] = [width, height];
      const pixels = plain.getContext("2d").createImageData(width, height);
      const place = [...at];
      for (let i = 0; i < width; i++) for (let j = 0; j < height; j++) {
        [place[a], place[b]] = [i, j];
        const value = grey(...place), to = 4 * ((height - 1 - j) * width + i);
        pixels.data.set([value, value, value, 255], to);
      }
      plain.getContext("2d").putImageData(pixels, 0, 0);
      const pen = canvas.getContext("2d");
      pen.imageSmoothingEnabled = false;
      pen.drawImage(plain, 0, 0, canvas.width, canvas.height);
      // A hair through the middle of the voxels, with a gap around the place itself.
      const [across, down] = [(at[a] + .5) * fine, (height - .5 - at[b]) * fine];
      const gap = 1.5 * fine + 6;
      pen.fillStyle = "#5fc4c4";
      for (const [x, y, w, h] of [
        [0, down, across - gap, 1], [across + gap, down, canvas.width, 1],
        [across, 0, 1, down - gap], [across, down + gap, 1, canvas.height],
      ]) if (w > 0 && h > 0) pen.fillRect(Math.floor(x), Math.floor(y), w, h);
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
