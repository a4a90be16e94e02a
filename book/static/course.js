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
