// What elements have to say, in the language of the page: the template's data-<name>, filled in. Where something is
// counted, as {n}, there is a text for one of it too: data-<name>-one.
import { locale, number } from "./locale.js";

const plurals = new Intl.PluralRules(locale);

/** The text of that name, with *values* in their places; figures are written as the reader writes them. */
export function words({ dataset }, name, values) {
  const one = plurals.select(values.n ?? 0) === "one" ? dataset[`${name}One`] : null;
  const write = (value) => (typeof value === "number" ? number.format(value) : value);
  return (one ?? dataset[name]).replace(/{(\w+)}/g, (_, key) => write(values[key]));
}

/** "+1,204 new, 3 errors"; the element has texts for none, new and errors. */
export function news(element, n, errors) {
  if (n === 0) return element.dataset.none;
  const said = words(element, "new", { n });
  return errors ? `${said}, ${words(element, "errors", { n: errors })}` : said;
}
