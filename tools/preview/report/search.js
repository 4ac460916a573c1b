// Shows the resources whose text has every word that is typed, and the components that have any of them.
(() => {
  const box = document.getElementById("search");
  const found = document.getElementById("found");
  const groups = [...document.querySelectorAll(".group")].map((group) => ({
    group,
    entries: [...group.querySelectorAll("li")].map((entry) => ({ entry, text: "" })),
  }));
  const total = groups.reduce((sum, { entries }) => sum + entries.length, 0);

  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { group, entries } of groups) {
      let shown = 0;
      for (const one of entries) {
        one.text ||= one.entry.textContent.toLowerCase();
        one.entry.hidden = !words.every((word) => one.text.includes(word));
        shown += one.entry.hidden ? 0 : 1;
      }
      group.hidden = !shown;
      count += shown;
    }
    found.textContent = words.length ? `${count} of ${total}` : "";
  });
})();
