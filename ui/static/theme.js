// Runs before anything is drawn, so that a chosen theme never flashes.
try {
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "";
} catch {
  // A browser that keeps nothing follows the system's theme.
}
