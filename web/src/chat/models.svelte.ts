/** The models that can be asked, read once. */

import { models, type Model } from "../api";
import { toasts } from "../state/toasts.svelte";

class Models {
  all = $state.raw<Model[]>([]);
  private isAsked = false;

  /** The model that answers where none is chosen. */
  get standard(): Model | undefined {
    return this.all.find(({ isDefault }) => isDefault) ?? this.all[0];
  }

  /** Whether the server has no model but the one that stands in for one. */
  get isOnlyDemo(): boolean {
    return this.all.length > 0 && this.all.every(({ isDemo }) => isDemo);
  }

  async load(): Promise<void> {
    if (this.isAsked) return;
    this.isAsked = true;
    try {
      this.all = (await models()).models;
    } catch (error) {
      this.isAsked = false;
      toasts.error(error);
    }
  }
}

export const modelList = new Models();
