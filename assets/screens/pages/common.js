// Helpers the pages share: icons, pictures drawn from a seed, a browser's frame. Loaded before a page's own script.
"use strict";

/** Seeded random numbers in 0..1 (mulberry32), so that a page looks the same each time. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const icon = (name, style = "") => `<i data-icon="${name}" style="${style}"></i>`;

/** An attribute that makes an element the target of an item: category, then what a person asks for. */
const item = (category, instruction) => `data-item="${category}|${instruction.replaceAll('"', "&quot;")}"`;

/** Landscapes in layers: sky, sun, ridges with haze between them, and water or trees in front. */
function landscape(canvas, seed, palette, kind = "hills") {
  const context = canvas.getContext("2d"), { width: w, height: h } = canvas, next = random(seed);
  const sky = context.createLinearGradient(0, 0, 0, h * 0.75);
  sky.addColorStop(0, palette[0]);
  sky.addColorStop(1, palette[1]);
  context.fillStyle = sky;
  context.fillRect(0, 0, w, h);
  const [sx, sy] = [w * (0.2 + 0.6 * next()), h * (0.2 + 0.25 * next())];
  const sun = context.createRadialGradient(sx, sy, 0, sx, sy, h * 0.5);
  sun.addColorStop(0, "#fffbe8");
  sun.addColorStop(0.1, "#fff6d8d0");
  sun.addColorStop(1, "#ffffff00");
  context.fillStyle = sun;
  context.fillRect(0, 0, w, h);
  const layers = 5;
  for (let k = 0; k < layers; k++) {
    const base = h * (0.42 + 0.13 * k), rough = (h * 0.2) / (1 + 0.35 * k);
    const waves = Array.from({ length: 6 }, (_, n) => [next() * 7, (1.2 + n * (1.2 + next())) / w, rough / (1 + n * 1.3)]);
    const mix = k / (layers - 1);
    context.fillStyle = `color-mix(in oklab, ${palette[3]} ${Math.round(100 * mix)}%, ${palette[2]})`;
    context.beginPath();
    context.moveTo(0, h);
    for (let x = 0; x <= w; x += 2) {
      let y = base;
      for (const [phase, frequency, amplitude] of waves) y -= amplitude * Math.abs(Math.sin(phase + frequency * x * 3.1)) * 0.7;
      if (kind === "forest" && k > 1) y -= (x % 14 < 7 ? x % 14 : 14 - (x % 14)) * (0.7 + k * 0.5);
      context.lineTo(x, y);
    }
    context.lineTo(w, h);
    context.fill();
  }
  if (kind === "lake") {
    const water = context.createLinearGradient(0, h * 0.72, 0, h);
    water.addColorStop(0, palette[1]);
    water.addColorStop(1, palette[2]);
    context.fillStyle = water;
    context.fillRect(0, h * 0.72, w, h);
    for (let n = 0; n < 70; n++) {
      context.fillStyle = `rgba(255,255,255,${0.05 + 0.15 * next()})`;
      context.fillRect(next() * w, h * (0.73 + 0.27 * next()), w * 0.02 + next() * w * 0.12, 1.5);
    }
  }
  if (kind === "city") {
    for (let x = 0; x < w; ) {
      const bw = w * (0.025 + 0.05 * next()), bh = h * (0.15 + 0.45 * next());
      context.fillStyle = `color-mix(in oklab, ${palette[3]} ${Math.round(60 + 40 * next())}%, black)`;
      context.fillRect(x, h - bh, bw, bh);
      context.fillStyle = "#ffe9a8";
      for (let y = h - bh + 6; y < h - 4; y += 9) for (let c = x + 4; c < x + bw - 4; c += 8) if (next() > 0.62) context.fillRect(c, y, 3, 4);
      x += bw + 1;
    }
  }
}

const PALETTES = {
  dawn: ["#5b7fb8", "#f6cfa6", "#b79aa8", "#2f3550"],
  noon: ["#4f9be0", "#d8ecf7", "#8fb4c0", "#28503c"],
  dusk: ["#2b2350", "#f08a5d", "#8a4a6a", "#1a1530"],
  mist: ["#aebfc8", "#e9eef0", "#b3c3c6", "#4c6468"],
  desert: ["#6db3d8", "#fde7c4", "#dcae7c", "#7d4a2a"],
  night: ["#0b1230", "#3a4a86", "#28345f", "#070b18"],
};

function decorate() {
  const frame = document.body.dataset.browser;
  if (frame) browser(JSON.parse(frame));
  for (const element of document.querySelectorAll("i[data-icon]")) {
    const svg = window.ICONS?.[element.dataset.icon];
    if (!svg) throw new Error(`no icon ${element.dataset.icon}`);
    element.innerHTML = svg;
  }
  for (const canvas of document.querySelectorAll("canvas[data-scene]")) {
    const [palette, kind, seed] = canvas.dataset.scene.split(" ");
    canvas.width = canvas.clientWidth * devicePixelRatio;
    canvas.height = canvas.clientHeight * devicePixelRatio;
    landscape(canvas, Number(seed), PALETTES[palette], kind);
  }
}

/** Draw a browser's tabs and address bar around the page. Items may sit on its buttons: {"star": "icon|Bookmark this page"}. */
function browser({ tabs, address, items = {} }) {
  const mark = (name) => (items[name] ? `data-item="${items[name]}"` : "");
  const main = document.createElement("main");
  main.append(...document.body.childNodes);
  const shell = document.createElement("div");
  shell.className = "browser";
  shell.innerHTML = `<div class="strip">${tabs
    .map(([title, color], n) => `<div class="tab ${n ? "" : "on"}" ${mark("tab" + n)}><span class="dot" style="background:${color}"></span><span class="cut">${title}</span><button ${mark("close" + n)}>${icon("ph/x")}</button></div>`)
    .join("")}<button class="add" ${mark("add")}>${icon("ph/plus")}</button>
    <div class="win"><button>${icon("ph/minus")}</button><button>${icon("ph/square")}</button><button>${icon("ph/x")}</button></div></div>
  <div class="bar"><button ${mark("back")}>${icon("ph/arrow-left")}</button><button ${mark("forward")} style="opacity:.4">${icon("ph/arrow-right")}</button>
    <button ${mark("reload")}>${icon("ph/arrow-clockwise")}</button>
    <div class="address" ${mark("address")}><button ${mark("lock")}>${icon("ph/lock-simple")}</button><span class="grow cut" style="line-height:1.4">${address}</span><button ${mark("star")}>${icon("ph/star")}</button></div>
    <button ${mark("puzzle")}>${icon("ph/puzzle-piece")}</button><button ${mark("download")}>${icon("ph/download-simple")}</button><button ${mark("more")}>${icon("ph/dots-three-vertical")}</button></div>`;
  shell.append(main);
  document.body.append(shell);
}

document.addEventListener("DOMContentLoaded", decorate);
