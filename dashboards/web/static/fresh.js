// Reloads a page that asks for it with data-fresh="seconds", unless somebody is reading details, writing, or away.
const fresh = document.querySelector("[data-fresh]");
const busy = () =>
  document.hidden ||
  document.querySelector("details[open]") !== null ||
  ["INPUT", "TEXTAREA", "BUTTON"].includes(document.activeElement?.tagName) ||
  String(getSelection()).length > 0;
if (fresh) {
  setInterval(() => {
    if (!busy()) location.reload();
  }, Number(fresh.dataset.fresh) * 1000);
}
