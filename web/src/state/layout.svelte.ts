/** Whether the list of chats is seen: on a wide window it can be folded away, on a narrow one it lies over the page. */

const KEY = "chatkeep.side";
const narrow = matchMedia("(max-width: 767px)");

class Layout {
  isNarrow = $state(narrow.matches);
  isFolded = $state(localStorage.getItem(KEY) === "folded");
  isOverPage = $state(false);
  isSideSeen = $derived(this.isNarrow ? this.isOverPage : !this.isFolded);

  constructor() {
    narrow.addEventListener("change", ({ matches }) => {
      this.isNarrow = matches;
      this.isOverPage = false;
    });
  }

  toggleSide(): void {
    if (this.isNarrow) {
      this.isOverPage = !this.isOverPage;
      return;
    }
    this.isFolded = !this.isFolded;
    localStorage.setItem(KEY, this.isFolded ? "folded" : "open");
  }

  /** Lets the page be seen again, where the list lay over it. */
  showPage(): void {
    this.isOverPage = false;
  }
}

export const layout = new Layout();
