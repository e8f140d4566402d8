// Figures and dates in the language of the page, the way that the reader writes it.
const { lang } = document.documentElement;
const language = (tag) => tag.split("-")[0];

export const locale = navigator.languages.find((tag) => language(tag) === language(lang)) ?? lang;

export const number = new Intl.NumberFormat(locale);
export const tenths = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
