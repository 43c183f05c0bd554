// A placeholder until the page is built here. It is long enough to be worth compressing, so that the
// tests of how the page is served see both ways: once as it is, and once compressed.
const app = document.getElementById("app");
app.textContent = "The page is not built yet.";
