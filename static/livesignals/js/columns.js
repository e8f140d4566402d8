// Where a character of the filter stands in its field. The server counts columns in whole characters, from 1.
const ruler = document.createElement("canvas").getContext("2d");

/** The column of a place in a text. */
export const columnOf = (text, index) => [...text.slice(0, index)].length + 1;

/** The place in a text of a column. */
export const indexOf = (text, column) => [...text].slice(0, column - 1).join("").length;

/** How far right of the field's left edge that place is, as it is scrolled now; outside of it when it is out of sight. */
export function offsetOf(field, index) {
  const style = getComputedStyle(field);
  ruler.font = style.font;
  const edge = parseFloat(style.borderLeftWidth) + parseFloat(style.paddingLeft);
  return edge + ruler.measureText(field.value.slice(0, index)).width - field.scrollLeft;
}
