// Paper to write on with mouse, pen or finger.

const PEN = 9, MARGIN = 0.18; // pixels; share of the height of the ink

export class Paper {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.strokes = [];
    this.current = null;
    canvas.onpointerdown = (event) => this.begin(event);
    canvas.onpointermove = (event) => this.move(event);
    canvas.onpointerup = canvas.onpointercancel = () => this.end();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  get isEmpty() {
    return !this.strokes.length;
  }

  begin(event) {
    event.preventDefault();
    if (event.isTrusted) this.canvas.setPointerCapture(event.pointerId);
    this.current = [this.point(event)];
    this.strokes.push(this.current);
    this.draw();
  }

  move(event) {
    if (!this.current) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.current.push(...(events.length ? events : [event]).map((one) => this.point(one)));
    this.draw();
    this.changed(); // later, as long as the pen moves
  }

  end() {
    if (this.current) this.changed();
    this.current = null;
  }

  undo() {
    this.strokes.pop();
    this.draw();
    this.changed();
  }

  clear() {
    this.strokes = [];
    this.draw();
    this.changed();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  draw() {
    const {width, height} = this.canvas.getBoundingClientRect(), ratio = devicePixelRatio;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    this.ink(context);
  }

  ink(context) {
    Object.assign(context, {lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#000"});
    for (const stroke of this.strokes) {
      context.beginPath();
      context.moveTo(...stroke[0]);
      for (const point of stroke) context.lineTo(...point);
      context.stroke();
    }
  }

  // The ink on white, cut close around it.
  picture() {
    const points = this.strokes.flat(), xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const margin = PEN / 2 + MARGIN * (bottom - top + PEN);
    const cut = new OffscreenCanvas(Math.ceil(right - left + 2 * margin), Math.ceil(bottom - top + 2 * margin));
    const context = cut.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, cut.width, cut.height);
    context.translate(margin - left, margin - top);
    this.ink(context);
    return cut.convertToBlob();
  }
}
