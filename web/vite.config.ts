import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** The server that `npm run dev` hands requests on to. */
const server = {
  target: process.env.CHATKEEP_URL ?? "http://127.0.0.1:8642",
  // The server looks whether a request comes from its own page.
  changeOrigin: false,
};

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2023",
    // The page's policy allows nothing but files: no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The built files are committed, and must come out the same on every machine.
    sourcemap: false,
    reportCompressedSize: false,
  },
  server: {
    proxy: { "/api": server, "/docs": server, "/openapi.json": server },
  },
});
