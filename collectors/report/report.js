"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const point = (event) => {
    const over = event.target.closest?.("[data-tip]");
    tip.hidden = !over;
    if (!over) return;
    tip.textContent = over.dataset.tip;
    const box = tip.getBoundingClientRect();
    const left = Math.min(event.clientX + 12, innerWidth - box.width - 8);
    tip.style.left = `${Math.max(left, 8)}px`;
    tip.style.top = `${event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18}px`;
  };
  document.addEventListener("pointermove", point);
  document.addEventListener("pointerdown", point);
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  const dialog = document.querySelector("dialog");
  const show = (number) => {
    const order = document.getElementById(`order-${number}`);
    if (!order || !dialog.showModal) return false;
    const body = dialog.querySelector(".body");
    body.replaceChildren(...all(":scope > summary > *, :scope > .events", order).map((part) => part.cloneNode(true)));
    dialog.showModal();
    dialog.scrollTop = 0;
    return true;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-order]");
    if (link && show(link.dataset.order)) event.preventDefault();
    if (event.target === dialog) dialog.close();
  });

  const order = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };
  for (const head of all("table[data-sortable] thead th")) {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    button.title = "sort by this column";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      const table = head.closest("table");
      all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const rows = all("tbody tr", table).map((row, place) => [order(row, head.cellIndex), place, row]);
      rows.sort(([a, i], [b, j]) => (a < b ? -1 : a > b ? 1 : i - j) * (rising ? 1 : -1));
      table.tBodies[0].append(...rows.map(([, , row]) => row));
    });
  }

  const search = document.querySelector("#search");
  search?.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const row of all("#chase tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });

  addEventListener("beforeprint", () => all("details.group").forEach((group) => { group.open = true; }));
})();
