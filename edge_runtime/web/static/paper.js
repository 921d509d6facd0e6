// @ts-check
/** ECG paper: 1 mm and 5 mm lines, 25 mm/s, 10 mm/mV, in CSS millimetres. */

export const PX_PER_MM = 96 / 25.4;
export const MM_PER_S = 25;
export const MM_PER_MV = 10;
export const PX_PER_S = PX_PER_MM * MM_PER_S;
export const PX_PER_UV = (PX_PER_MM * MM_PER_MV) / 1000;
/** In place of a sample that never came. */
export const NONE = -32768;

/**
 * Make a canvas as sharp as the screen; returns its context in CSS pixels, and its size in them.
 * @param {HTMLCanvasElement} canvas
 */
export function sharp(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

/** @param {string} name of a CSS variable, without dashes */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 */
export function drawGrid(context, width, height) {
  context.fillStyle = colour("paper");
  context.fillRect(0, 0, width, height);
  for (const [every, name] of /** @type {[number, string][]} */ ([[1, "minor"], [5, "major"]])) {
    context.beginPath();
    for (let x = 0; x * PX_PER_MM <= width; x += every) {
      context.moveTo(x * PX_PER_MM, 0);
      context.lineTo(x * PX_PER_MM, height);
    }
    // Counted from the middle, so that the baseline lies on a line.
    for (let y = 0; y * PX_PER_MM <= height / 2; y += every) {
      for (const sign of [-1, 1]) {
        context.moveTo(0, height / 2 + sign * y * PX_PER_MM);
        context.lineTo(width, height / 2 + sign * y * PX_PER_MM);
      }
    }
    context.strokeStyle = colour(name);
    context.lineWidth = 1;
    context.stroke();
  }
}

/** @param {number[]} values microvolts */
export function median(values) {
  const sorted = values.filter((value) => value !== NONE).sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : 0;
}
