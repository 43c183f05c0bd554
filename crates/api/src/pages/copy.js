/** Browsers keep the clipboard API for HTTPS and localhost; elsewhere the old command still works. */
export async function copy(source, button) {
  const said = document.getElementById("copied");
  getSelection().selectAllChildren(source);
  if (navigator.clipboard) await navigator.clipboard.writeText(source.textContent);
  else document.execCommand("copy");
  button.textContent = said.textContent = "Copied";
  setTimeout(() => {
    button.textContent = "Copy";
    said.textContent = "";
  }, 2000);
}
