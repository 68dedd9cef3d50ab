import {drawPlaces, drawSteps, drawText, listLikeliest} from "./figures.js";
import {Paper} from "./paper.js";

const find = (id) => document.getElementById(id);
const PAUSE = 700; // milliseconds after the last stroke

let picture = null, waiting = null, seed = 0, written = "";

function say(message, isError = false) {
  find("message").textContent = message;
  find("message").hidden = !message;
  find("message").classList.toggle("error", isError);
}

async function answerOf(response) {
  const type = response.headers.get("content-type") ?? "";
  const answer = type.includes("json") ? await response.json() : {detail: await response.text()};
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

async function read(blob) {
  picture = blob;
  waiting?.abort();
  const mine = (waiting = new AbortController());
  say("Reading …");
  const form = new FormData();
  form.append("pictures", blob, blob.name || "line.png");
  form.append("model", find("model").value);
  form.append("details", "true");
  try {
    const {results} = await answerOf(await fetch("v1/read", {method: "POST", body: form, signal: mine.signal}));
    showLines(results[0].lines);
    say("");
  } catch (error) {
    if (error.name !== "AbortError") fail(error);
  }
}

function showLines(lines) {
  const buttons = lines.map((line) => {
    const button = document.createElement("button");
    button.textContent = line.reading.text || "(nothing)";
    button.setAttribute("role", "option");
    button.onclick = () => {
      for (const other of buttons) other.setAttribute("aria-selected", other === button);
      show(line.reading, line.details);
    };
    return button;
  });
  find("lines").replaceChildren(...buttons);
  find("lines").hidden = lines.length < 2;
  buttons[0].click();
}

function fail(error) {
  find("lines").hidden = find("reading").hidden = true;
  say(error instanceof TypeError ? "The server does not answer. Start it again: make app" : error.message, true);
}

function show(reading, details) {
  find("reading").hidden = false;
  const mark = drawPlaces(find("places"), reading, details);
  const choose = (one, span) => {
    document.querySelector(".chosen")?.classList.remove("chosen");
    span.classList.add("chosen");
    mark(one);
  };
  drawText(find("greedy"), reading, choose);
  find("with-language-model").hidden = !details.language_model;
  if (details.language_model) drawText(find("language-model"), details.language_model, choose);
  listLikeliest(find("likeliest"), details.likeliest);
  find("steps-block").hidden = !details.steps.length;
  if (details.steps.length) drawSteps(find("steps"), details);
}

async function readAddress(address) {
  say("Reading …");
  try {
    const response = await fetch(address);
    if (!response.ok) await answerOf(response);
    await read(await response.blob());
  } catch (error) {
    fail(error);
  }
}

function chooseTab(chosen) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const isChosen = tab === chosen;
    tab.setAttribute("aria-selected", isChosen);
    tab.tabIndex = isChosen ? 0 : -1;
    find(tab.getAttribute("aria-controls")).hidden = !isChosen;
  }
}

function prepareTabs() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  for (const [number, tab] of tabs.entries()) {
    tab.onclick = () => chooseTab(tab);
    tab.onkeydown = (event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (!step) return;
      const next = tabs[(number + step + tabs.length) % tabs.length];
      chooseTab(next);
      next.focus();
    };
  }
}

function preparePaper() {
  let timer;
  const paper = new Paper(find("canvas"), () => {
    clearTimeout(timer);
    timer = setTimeout(async () => paper.isEmpty || read(await paper.picture()), PAUSE);
  });
  find("undo").onclick = () => paper.undo();
  find("clear").onclick = () => paper.clear();
}

function prepareDropping() {
  const page = document.documentElement;
  const readFirst = (files) => files.length && read(files[0]);
  find("file").onchange = (event) => readFirst(event.target.files);
  page.ondragover = (event) => {
    event.preventDefault();
    page.classList.add("over");
  };
  page.ondragleave = () => page.classList.remove("over");
  page.ondrop = (event) => {
    event.preventDefault();
    page.classList.remove("over");
    readFirst(event.dataTransfer.files);
  };
  document.onpaste = (event) => readFirst([...event.clipboardData.files]);
}

function prepareWriting() {
  find("write").onsubmit = (event) => {
    event.preventDefault();
    const text = find("text").value;
    seed = text === written ? seed + 1 : 0;
    written = text;
    readAddress(`page/write.png?${new URLSearchParams({text, seed})}`);
  };
}

async function listExamples() {
  const examples = await answerOf(await fetch("page/examples"));
  find("examples").querySelector("div").replaceChildren(...examples.map(({picture, text}) => {
    const button = document.createElement("button"), image = document.createElement("img");
    Object.assign(image, {src: picture, alt: text, loading: "lazy"});
    button.title = text;
    button.append(image);
    button.onclick = () => readAddress(picture);
    return button;
  }));
}

async function listModels() {
  const models = await answerOf(await fetch("v1/models"));
  find("model").replaceChildren(...models.map(({name, test_cer: cer, is_best: isBest}) => {
    const rate = cer === null ? "" : `, CER ${(100 * cer).toFixed(1)} %`;
    return new Option(name + rate + (isBest && name !== "best" ? " (best)" : ""), name);
  }));
  find("model").onchange = () => picture && read(picture);
}

prepareTabs();
preparePaper();
prepareDropping();
prepareWriting();
listModels().then(listExamples).catch(fail);
