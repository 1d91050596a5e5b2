/**
 * The picture of a fake guest: the end of its console as text, in a 3 × 5 pixel font drawn twice as large.
 *
 * A pixel is an index into {@link palette}; capital letters stand for small ones.
 */

export const screenWidth = 640
export const screenHeight = 400
const columns = 80
const rows = 33
const cellWidth = 8
const cellHeight = 12

/** Background and ink, as red, green, blue. */
export const palette = [
  [16, 20, 28],
  [158, 206, 106],
] as const

/** Five rows of three bits each, top left first. */
const glyphs: Record<string, number> = {
  '0': 0b111_101_101_101_111,
  '1': 0b010_110_010_010_111,
  '2': 0b111_001_111_100_111,
  '3': 0b111_001_111_001_111,
  '4': 0b101_101_111_001_001,
  '5': 0b111_100_111_001_111,
  '6': 0b111_100_111_101_111,
  '7': 0b111_001_001_010_010,
  '8': 0b111_101_111_101_111,
  '9': 0b111_101_111_001_111,
  A: 0b010_101_111_101_101,
  B: 0b110_101_110_101_110,
  C: 0b011_100_100_100_011,
  D: 0b110_101_101_101_110,
  E: 0b111_100_110_100_111,
  F: 0b111_100_110_100_100,
  G: 0b011_100_101_101_011,
  H: 0b101_101_111_101_101,
  I: 0b111_010_010_010_111,
  J: 0b001_001_001_101_010,
  K: 0b101_101_110_101_101,
  L: 0b100_100_100_100_111,
  M: 0b101_111_111_101_101,
  N: 0b110_101_101_101_101,
  O: 0b010_101_101_101_010,
  P: 0b110_101_110_100_100,
  Q: 0b010_101_101_110_011,
  R: 0b110_101_110_101_101,
  S: 0b011_100_010_001_110,
  T: 0b111_010_010_010_010,
  U: 0b101_101_101_101_111,
  V: 0b101_101_101_101_010,
  W: 0b101_101_111_111_101,
  X: 0b101_101_010_101_101,
  Y: 0b101_101_010_010_010,
  Z: 0b111_001_010_100_111,
  '-': 0b000_000_111_000_000,
  '.': 0b000_000_000_000_010,
  ':': 0b000_010_000_010_000,
  ',': 0b000_000_000_010_100,
  '/': 0b001_001_010_100_100,
  _: 0b000_000_000_000_111,
  '=': 0b000_111_000_111_000,
  '+': 0b000_010_111_010_000,
  '(': 0b001_010_010_010_001,
  ')': 0b100_010_010_010_100,
  '[': 0b011_010_010_010_011,
  ']': 0b110_010_010_010_110,
  '#': 0b101_111_101_111_101,
  '@': 0b111_101_111_100_011,
  '!': 0b010_010_010_000_010,
  '?': 0b111_001_010_000_010,
}
const unknownGlyph = 0b111_111_111_111_111

/** One byte a pixel, row by row. */
export function drawScreen(log: string): Uint8Array {
  const pixels = new Uint8Array(screenWidth * screenHeight)
  const lines = log
    .split('\n')
    .flatMap((line) => (line === '' ? [''] : (line.match(new RegExp(`.{1,${columns}}`, 'gu')) ?? [])))
    .slice(-rows)
  for (const [row, line] of lines.entries()) {
    for (const [column, character] of [...line].entries()) drawGlyph(pixels, character, column * cellWidth, row * cellHeight + 1)
  }
  return pixels
}

function drawGlyph(pixels: Uint8Array, character: string, left: number, top: number): void {
  if (character === ' ' || character === '\r') return
  const bits = glyphs[character.toUpperCase()] ?? unknownGlyph
  for (let bit = 0; bit < 15; bit++) {
    if ((bits & (1 << (14 - bit))) === 0) continue
    const x = left + 1 + (bit % 3) * 2
    const y = top + Math.floor(bit / 3) * 2
    pixels.fill(1, y * screenWidth + x, y * screenWidth + x + 2)
    pixels.fill(1, (y + 1) * screenWidth + x, (y + 1) * screenWidth + x + 2)
  }
}
