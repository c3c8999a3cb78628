// Keys for those who come every morning: / finds an order, j and k walk the
// rows, x ticks one, g goes to a page by its first letter, ? tells of them. Who
// talks to the computer, or hits keys by accident, switches them off.

const places = { h: "/", o: "/orders", g: "/gaps", r: "/reports", m: "/events", u: "/runs", l: "/health", s: "/settings" };

export function keys() {
  const root = document.documentElement;
  root.dataset.keys = kept() ?? "on";
  choice(root);
  let going = 0;
  document.addEventListener("keydown", (e) => {
    if (root.dataset.keys === "off" || e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input:not([type=checkbox]), textarea, select")) return;
    if (e.key === "g" && Date.now() - going > 1000) {
      going = Date.now();
      return;
    }
    const place = Date.now() - going < 1000 ? places[e.key] : undefined;
    going = 0;
    if (place) location.assign(place);
    else if (e.key === "/") (document.querySelector("main input[type=search]") ?? document.getElementById("find"))?.focus();
    else if (e.key === "?") document.getElementById("keys")?.togglePopover();
    else if (e.key === "j" || e.key === "k") step(e.key === "j" ? 1 : -1);
    else if (e.key === "x") document.activeElement?.closest("tr")?.querySelector("input[type=checkbox]")?.click();
    else return;
    e.preventDefault();
  });
}

function step(by) {
  const rows = [...document.querySelectorAll("a.row")];
  const at = rows.findIndex((r) => r.closest("tr, li") === document.activeElement?.closest("tr, li"));
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by));
  rows[next]?.focus();
}

// choice wires the switch, which holds for all pages of this browser.
function choice(root) {
  const box = document.getElementById("keys-on");
  if (!box) return;
  box.checked = root.dataset.keys !== "off";
  box.closest("label").hidden = false;
  box.addEventListener("change", () => {
    root.dataset.keys = box.checked ? "on" : "off";
    try {
      localStorage.setItem("keys", root.dataset.keys);
    } catch {
      // it lasts as long as the page
    }
  });
}

function kept() {
  try {
    return localStorage.getItem("keys");
  } catch {
    return null;
  }
}
