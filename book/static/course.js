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

// A poll: the reader's votes stay in this browser. When all rounds are judged, the table of the metrics appears.
function countVotes(poll, votes) {
  const rounds = [...poll.querySelectorAll("fieldset")];
  const judged = rounds.filter((round) => votes[round.dataset.round]).length;
  poll.querySelector(".count").textContent =
    judged < rounds.length
      ? `${judged} of ${rounds.length} judged. What the metrics say appears when all are.`
      : `All ${rounds.length} judged. This is what the metrics say, and how often they agree with you:`;
  poll.querySelector(".answers").hidden = judged < rounds.length;
  const rows = [...poll.querySelectorAll("tbody tr")];
  for (const row of rows) {
    const vote = votes[row.dataset.round];
    row.querySelector(".own").textContent = vote ?? "";
    for (const cell of row.querySelectorAll("[data-answer]"))
      cell.classList.toggle("agrees", cell.dataset.answer === vote);
  }
  // A metric that sees no difference guesses, and is right half of the time.
  const worth = (cell, vote) => (cell.dataset.answer === "equal" ? 0.5 : Number(cell.dataset.answer === vote));
  poll.querySelectorAll(".total").forEach((total, column) => {
    const cells = rows.map((row) => [row.querySelectorAll("[data-answer]")[column], votes[row.dataset.round]]);
    total.textContent = `${cells.reduce((sum, [cell, vote]) => sum + worth(cell, vote), 0)} of ${rows.length}`;
  });
}
document.addEventListener("DOMContentLoaded", () => {
  for (const poll of document.querySelectorAll(".poll")) {
    const key = `poll ${poll.id}`;
    let votes = {};
    try {
      votes = JSON.parse(localStorage.getItem(key)) ?? {};
    } catch {} // no storage here: the votes last as long as the page
    const keep = () => {
      try {
        localStorage.setItem(key, JSON.stringify(votes));
      } catch {}
      countVotes(poll, votes);
    };
    const inputs = [...poll.querySelectorAll("input")];
    for (const input of inputs) input.checked = votes[input.name.split("-").at(-1)] === input.value;
    poll.addEventListener("change", ({ target }) => {
      votes[target.name.split("-").at(-1)] = target.value;
      keep();
    });
    poll.querySelector(".again").addEventListener("click", () => {
      votes = {};
      for (const input of inputs) input.checked = false;
      keep();
      inputs[0].focus();
    });
    countVotes(poll, votes);
  }
});
