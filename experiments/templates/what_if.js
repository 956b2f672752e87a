"use strict";
// Evaluates the exported coefficients, operators and reuse curves (experiments/what_if.py) at the sliders' settings.
const hotrow = (() => {
  const data = JSON.parse(document.getElementById("what-if-data").textContent);
  const LINE = 64, EDGES = [-1.2, 0, 1.2], GRAIN = 8;
  const PAGE_BYTES = { "4 KiB": 4096, "2 MiB": 2 ** 21 };
  const CAUSES = { overhead: "overhead", compute: "compute", latency: "latency", translation: "page walks" };

  function interpolated(x, xs, ys) {
    if (x <= xs[0]) return ys[0];
    if (x >= xs[xs.length - 1]) return ys[ys.length - 1];
    let low = 0, high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] <= x) low = middle; else high = middle;
    }
    return ys[low] + ((ys[high] - ys[low]) * (x - xs[low])) / (xs[high] - xs[low]);
  }

  // The share of a stream's accesses that miss a cache of `capacity` bytes.
  function missed(curve, outlasting, capacity, unit, stream, neighbours) {
    const touched = curve.distinct.map((d, k) => neighbours * (unit * d + stream * curve.times[k]));
    return interpolated(capacity, touched, outlasting);
  }

  // Models whose traffic goes through one instance of a level.
  function crowd(level, s) {
    const instances = Math.max(1, data.cores / level.sharers);
    const spanned = Math.min(instances, Math.max(1, s.threads / level.sharers));
    return Math.max(s.models / instances, 1 / spanned);
  }

  function gather(op, step, costs, s, levels) {
    const curve = data.curves[step.rows], shares = curve.tables[op.table], g = costs.gather;
    const stream = 4 + (4 * op.n * op.m) / Math.max(op.k, 1);
    const workers = Math.min(s.threads, Math.max(1, op.m / GRAIN));
    const lines = Math.max(1, Math.ceil((4 * op.n) / LINE));
    const parts = {
      overhead: g.call + (op.m * g.bag) / workers + costs.framework.table,
      compute: (op.m * lines * g.written + op.k * (g.lookup + lines * g.line)) / workers,
    };
    let remaining = 1, latency = 0;
    levels.forEach((level, k) => {
      let left = 0;
      if (k + 1 < levels.length) {
        const beside = Math.max(1, s.models / Math.max(1, data.cores / level.sharers));
        const places = level.spread ? EDGES : [0];
        const found = places.map((at) =>
          missed(curve, shares, level.capacity * Math.exp(level.spread * at), step.unit, stream, beside));
        left = Math.min(remaining, found.reduce((a, b) => a + b) / found.length);
      }
      const served = remaining - left;
      if (k) {
        const one = (level.first + (lines - 1) * level.next) / workers;
        const wire = (lines * LINE * crowd(level, s)) / level.bandwidth;
        const cause = wire > one ? `${level.name} bandwidth` : level.name;
        parts[cause] = (parts[cause] || 0) + op.k * served * Math.max(one, wire);
        latency += Math.min(g.exposed, op.k) * served * level.latency;
      }
      remaining = left;
    });
    parts.latency = latency;
    let walked = 0;
    for (const [page, [reach, penalty]] of Object.entries(g.walks || {})) {
      const pages = step.pages[page];
      if (pages) walked += op.k * missed(pages, pages.outlasting, reach, PAGE_BYTES[page], 0, 1) * penalty;
    }
    parts.translation = walked / workers;
    return parts;
  }

  function linear(op, costs, s, levels) {
    const layer = costs.linear, { m, k, n } = op, vectors = 16 * Math.ceil(n / 16);
    const one = layer.one || [0, 0], narrow = layer.narrow || [0, 0];
    const extra = (n === 1 ? narrow[0] : n <= 16 ? narrow[1] : 0) * m * k;
    const weights = (m === 1 ? one[1] : m === 2 ? layer.pair || 0 : 0) * n * k;
    const workers = Math.min(s.threads, Math.max(1, (m * n * k) / 64 ** 3));
    const ramps = layer.output * m * n + layer.input * m * k + extra;
    const far = levels.length > 1 && 4 * n * k * s.models > levels[levels.length - 2].capacity;
    const memory = levels[levels.length - 1];
    const wire = far ? (4 * n * k * crowd(memory, s)) / memory.bandwidth : 0;
    return {
      overhead: layer.call + (m === 1 ? one[0] : 0) + costs.framework.layer,
      compute: (layer.product * m * vectors * k + ramps) / workers,
      weights: Math.max((layer.weight * n * k + weights) / workers, wire),
    };
  }

  function other(op, costs, s) {
    const f = costs.framework;
    if (op.kind === "step") return { overhead: f.step };
    if (op.kind === "product") {
      const computing = f.multiply_add * op.multiplyAdds + (f.pair * op.multiplyAdds) / op.n;
      return { overhead: f.map, compute: computing / s.threads };
    }
    return op.kind === "map" ? { overhead: f.map, copying: (f.byte * op.bytes) / Math.min(s.threads, 4) } : {};
  }

  // Seconds of one step at settings {batch, dim, isa, threads, models, cache, bandwidth}: in all, by role, and why.
  function evaluate(s) {
    const step = data.steps[`${s.batch} ${s.dim}`], costs = data.widths[s.isa];
    const levels = costs.levels.map((level, k) => {
      if (k === costs.levels.length - 2) return { ...level, capacity: level.capacity + s.cache - data.cache };
      const shared = (s.bandwidth * level.sharers) / data.cores;
      return k === costs.levels.length - 1 ? { ...level, bandwidth: shared } : level;
    });
    const roles = {};
    for (const [name, role, kind, m, k, n, bytes, multiplyAdds, table] of step.operators) {
      const op = { name, kind, m, k, n, bytes, multiplyAdds, table };
      const parts = kind === "gather" ? gather(op, step, costs, s, levels)
        : kind === "linear" ? linear(op, costs, s, levels) : other(op, costs, s);
      const sum = (roles[role] = roles[role] || {});
      for (const [cause, seconds] of Object.entries(parts)) sum[cause] = (sum[cause] || 0) + seconds;
    }
    const found = Object.entries(roles).map(([role, parts]) => {
      const seconds = Object.values(parts).reduce((a, b) => a + b, 0);
      const bound = Object.keys(parts).reduce((a, b) => (parts[b] > parts[a] ? b : a), Object.keys(parts)[0]);
      return { role, seconds, bound: CAUSES[bound] || bound };
    }).filter((part) => part.seconds > 0);
    const seconds = found.reduce((a, part) => a + part.seconds, 0), [low, high] = costs.spread.whole;
    return { seconds, low: low * seconds, high: high * seconds, roles: found, rate: (s.batch * s.models) / seconds };
  }

  return { data, evaluate };
})();

(() => {
  const { data, evaluate } = hotrow, form = document.getElementById("what-if-form");
  const out = document.getElementById("what-if-out"), bars = document.getElementById("what-if-bars");
  const field = (name) => form.elements[name];
  const text = (value) => Number(value.toPrecision(3)).toLocaleString("en");
  const time = (s) => (s < 1e-3 ? `${text(s * 1e6)} µs` : s < 1 ? `${text(s * 1e3)} ms` : `${text(s)} s`);
  const bytes = (b) => (b < 2 ** 20 ? `${text(b / 2 ** 10)} KiB` : `${text(b / 2 ** 20)} MiB`);

  function settings() {
    const s = {
      batch: data.batches[field("batch").value], dim: data.dims[field("dim").value], isa: field("isa").value,
      threads: +field("threads").value, models: +field("models").value,
      cache: data.cache * 2 ** field("cache").value, bandwidth: data.bandwidth * 2 ** field("bandwidth").value,
    };
    s.models = Math.max(1, Math.min(s.models, Math.floor(data.cores / s.threads)));
    return s;
  }

  function show(keep) {
    const s = settings(), found = evaluate(s);
    const said = {
      batch: `${s.batch} samples`, dim: `${s.dim} numbers`, threads: `${s.threads}`, models: `${s.models}`,
      cache: bytes(s.cache), bandwidth: `${text(s.bandwidth / 1e9)} GB/s`,
    };
    for (const [name, words] of Object.entries(said)) {
      field(name).nextElementSibling.textContent = words;
      field(name).setAttribute("aria-valuetext", words);
    }
    const most = found.roles.reduce((a, b) => (b.seconds > a.seconds ? b : a));
    let words = `${time(found.seconds)} a batch (90 % interval ${time(found.low)} to ${time(found.high)}), ` +
      `${text(found.rate)} samples/s of ${s.models} model${s.models > 1 ? "s" : ""}; ` +
      `${most.role} takes most, bound by ${most.bound}.`;
    if (data.watts) words += ` At ${text(data.watts)} W, the machine's power when busy: ` +
      `${text((1e6 * data.watts) / found.rate)} µJ a sample.`;
    if (data.price) words += ` ${text(found.rate / data.price)} samples/s per dollar of its price.`;
    out.textContent = words;
    const longest = Math.max(...found.roles.map((part) => part.seconds));
    bars.replaceChildren(...found.roles.map((part) => {
      const row = document.createElement("tr");
      const cells = ["th", "td", "td", "td"].map((tag) => row.appendChild(document.createElement(tag)));
      cells[0].scope = "row";
      cells[0].textContent = part.role;
      const bar = cells[1].appendChild(document.createElement("span"));
      bar.className = "bar";
      bar.style.width = `${(100 * part.seconds) / longest}%`;
      cells[2].textContent = time(part.seconds);
      cells[3].textContent = part.bound;
      return row;
    }));
    const named = ["batch", "dim", "isa", "threads", "models", "cache", "bandwidth"];
    const link = "#what-if&" + named.map((name) => `${name}=${field(name).value}`).join("&");
    document.getElementById("what-if-link").href = link;
    if (keep) history.replaceState(null, "", link);
  }

  for (const part of decodeURIComponent(location.hash).split("&").slice(1)) {
    const [name, value] = part.split("=");
    if (field(name)) field(name).value = value;
  }
  form.addEventListener("input", () => show(true));
  form.addEventListener("reset", () => setTimeout(() => show(true)));
  show(false);
  if (location.hash.startsWith("#what-if")) document.getElementById("what-if").scrollIntoView();
})();
