// Draws a reading: texts with their confidence, where the characters were read, and the steps of CTC.

const SPACE = "␣";

const shown = (character) => (character === " " ? SPACE : character);

function svg(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const colour = (confidence) => `hsl(${confidence * 130} 70% 45%)`;

export function drawText(place, reading, choose) {
  place.replaceChildren();
  for (const one of reading.characters) {
    const span = document.createElement("span"), number = document.createElement("small");
    const percent = Math.floor(one.confidence * 100);
    span.style.setProperty("--confidence", one.confidence);
    span.title = `${percent} %`;
    number.textContent = percent;
    span.append(shown(one.character), number);
    span.onclick = span.onmouseenter = () => choose(one, span);
    place.append(span);
  }
  if (!reading.characters.length) place.append(Object.assign(document.createElement("em"), {textContent: "nothing"}));
}

function lineFigure(details, extraHeight, scale) {
  const last = details.steps.length ? details.steps.at(-1).center + 8 : 0;
  const width = Math.max(details.width, last), height = details.height + extraHeight;
  const figure = svg("svg", {viewBox: `0 0 ${width} ${height}`, width: width * scale, height: height * scale, role: "img"});
  figure.append(svg("rect", {width, height: details.height, fill: "#fff"}));
  figure.append(svg("image", {href: details.image, width: details.width, height: details.height}));
  return figure;
}

export function drawPlaces(place, reading, details) {
  const scale = 60 / details.height, size = 11 / scale * 1.3;
  const figure = lineFigure(details, 2.2 * size, scale);
  figure.setAttribute("aria-label", `The line; read: ${reading.text}`);
  const marker = svg("rect", {class: "marker", height: details.height, width: 0});
  for (const one of reading.characters) {
    const width = one.right - one.left;
    figure.append(svg("rect", {class: "place", x: one.left, width, y: details.height + size * 0.2, height: size * 0.35, fill: colour(one.confidence)}));
    const middle = (one.left + one.right) / 2;
    figure.append(svg("text", {x: middle, y: details.height + 1.7 * size, style: `font-size: ${size}px`}, shown(one.character)));
  }
  figure.append(marker);
  place.replaceChildren(figure);
  return (one) => {
    marker.setAttribute("x", one.left);
    marker.setAttribute("width", one.right - one.left);
    place.scrollLeft = one.left * scale - place.clientWidth / 2;
  };
}

export function drawSteps(place, details) {
  const stride = details.steps.length > 1 ? details.steps[1].center - details.steps[0].center : 16;
  const scale = Math.max(1.8, 15 / stride), base = details.height;
  const figure = lineFigure(details, 44, scale);
  figure.setAttribute("aria-label", `Steps: ${details.steps.map((step) => step.symbol).join(" ")}`);
  const size = `font-size: ${Math.min(11, stride * 1.1)}px`;
  for (const step of details.steps) {
    figure.append(svg("path", {class: "tick", d: `M${step.center} ${base}v3`}));
    figure.append(svg("text", {x: step.center, y: base + 13, style: size, class: step.symbol === "·" ? "faint" : ""}, step.symbol));
  }
  for (const run of details.runs) {
    const edge = Math.min(4, stride / 3);
    figure.append(svg("path", {class: "run", d: `M${run.first - edge} ${base + 20}H${run.last + edge}`}));
    figure.append(svg("text", {class: "strong", x: (run.first + run.last) / 2, y: base + 36}, run.symbol));
  }
  place.replaceChildren(figure);
}

export function listLikeliest(place, candidates) {
  place.replaceChildren(...candidates.map(({text, share}) => {
    const item = document.createElement("li"), code = document.createElement("code");
    const meter = document.createElement("meter"), output = document.createElement("output");
    code.textContent = text || "nothing";
    meter.value = share;
    output.textContent = share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
    item.append(code, meter, output);
    return item;
  }));
}
