// A lecture's player. YouTube is asked for nothing until the reader clicks.
document.addEventListener("click", (event) => {
  const button = event.target.closest(".lecture-video button");
  if (!button) return;
  const { embed, watch } = button.parentElement.dataset;
  // YouTube refuses to play inside a page that was opened as a file (it gets no referrer): open its own page there.
  if (location.protocol === "file:") {
    window.open(watch, "_blank", "noopener");
    return;
  }
  const frame = document.createElement("iframe");
  frame.src = embed + (embed.includes("?") ? "&" : "?") + "autoplay=1";
  frame.title = button.getAttribute("aria-label");
  frame.allow = "autoplay; encrypted-media; fullscreen; picture-in-picture";
  frame.allowFullscreen = true;
  frame.referrerPolicy = "strict-origin-when-cross-origin";
  button.replaceWith(frame);
  frame.focus();
});

// The theme's sidebar arrows have no name for screen readers.
document.addEventListener("DOMContentLoaded", () => {
  for (const summary of document.querySelectorAll(".bd-sidebar-primary details > summary"))
    summary.setAttribute("aria-label", "Show or hide the pages of this chapter");
});

// A link into a closed fold opens it: a dropdown of sphinx-design is a <details>, a cell's or a note's fold is a button.
function openFolds() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  // An anchor that stands right before a fold means the fold.
  const next = target.nextElementSibling;
  if (!target.textContent && next?.matches("details")) next.open = true;
  for (let node = target; node; node = node.parentElement) {
    if (node.matches("details")) node.open = true;
    if (node.matches(".toggle-hidden")) node.querySelector(":scope > .toggle-button")?.click();
  }
  target.scrollIntoView();
}
addEventListener("hashchange", openFolds);
addEventListener("load", openFolds);
// The same link a second time changes no address.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href*='#']");
  if (link && link.href === location.href) openFolds();
});
