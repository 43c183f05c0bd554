import { mount } from "svelte";
import App from "./App.svelte";
import { showTheme } from "./state/theme.svelte";
import "./style/tokens.css";
import "./style/base.css";

showTheme();
mount(App, { target: document.getElementById("app")! });
