import { follow } from "./live.js";
import { keys } from "./keys.js";
import { wire } from "./wire.js";

wire(document);
keys();
follow(() => wire(document));

// On a phone not all tabs have room; the one that is open does.
for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  const bar = tab.closest(".tabs");
  bar.scrollLeft = tab.offsetLeft - bar.offsetLeft - (bar.clientWidth - tab.offsetWidth) / 2;
}
