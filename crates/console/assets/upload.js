// Files are sent one by one while the form is filled in, each with its progress. Without this
// script the form itself carries them.
"use strict";

(() => {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const list = document.getElementById("uploads");
  const drop = document.getElementById("drop");
  const status = document.getElementById("upload-status");
  const inputs = [...form.querySelectorAll("input[type=file]")];
  const waiting = [];
  let sending = false;
  let busy = 0; // folders being walked through, and the sending
  let failed = 0;
  let submitter = null; // the button pressed while files were on their way

  const size = (bytes) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = 0;
    for (; bytes >= 1024 && power < units.length - 1; power++) bytes /= 1024;
    return `${power ? bytes.toFixed(1) : bytes} ${units[power]}`;
  };

  // What is wrong, as the node says it.
  const problem = ({ responseText }) => {
    try {
      return JSON.parse(responseText).detail;
    } catch {
      return form.dataset.failed;
    }
  };

  const send = ({ path, file, row, bar, note }) =>
    new Promise((done) => {
      const request = new XMLHttpRequest();
      request.open("PUT", `${form.dataset.upload}?name=${encodeURIComponent(path)}`);
      request.setRequestHeader("x-csrf-token", form.elements.csrf.value);
      request.upload.onprogress = ({ loaded, total }) => {
        bar.max = total || 1;
        bar.value = loaded;
        note.textContent = `${size(loaded)} / ${size(total)}`;
      };
      request.onloadend = () => {
        const ok = request.status >= 200 && request.status < 300;
        bar.remove();
        note.textContent = ok ? size(file.size) : problem(request);
        row.classList.toggle("problem", !ok);
        if (!ok) failed += 1;
        done();
      };
      request.send(file);
    });

  const work = async () => {
    if (sending) return;
    sending = true;
    for (let next; (next = waiting.shift()); ) {
      status.textContent = `${form.dataset.waiting} ${waiting.length + 1}`;
      await send(next);
    }
    sending = false;
  };

  // What did not arrive must not be left out unnoticed: after the last task the form goes on only if all did.
  const run = async (task) => {
    if (!busy++) failed = 0;
    await task().catch(() => (failed += 1));
    if (--busy) return;
    status.textContent = failed ? form.dataset.failed : form.dataset.sent;
    if (submitter && !failed) form.requestSubmit(submitter);
    submitter = null;
  };

  const add = (path, file) => {
    const row = document.createElement("li");
    const name = document.createElement("bdi");
    const bar = document.createElement("progress");
    const note = document.createElement("span");
    name.textContent = path;
    name.className = "name";
    bar.setAttribute("aria-label", path);
    note.className = "meta";
    row.append(name, " ", bar, " ", note);
    list.append(row);
    waiting.push({ path, file, row, bar, note });
    form.querySelector("input[name=from][value=upload]").checked = true;
    run(work);
  };

  for (const input of inputs)
    input.addEventListener("change", () => {
      for (const file of input.files) add(file.webkitRelativePath || file.name, file);
      input.value = ""; // they are on their way: the form need not carry them again
    });

  // A folder that is dropped is walked through; browsers give its entries in batches.
  const walk = async (entry, above) => {
    const path = above + entry.name;
    if (entry.isFile) return add(path, await new Promise((done, fail) => entry.file(done, fail)));
    const reader = entry.createReader();
    for (;;) {
      const batch = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!batch.length) return;
      for (const one of batch) await walk(one, `${path}/`);
    }
  };

  document.getElementById("drop-hint").hidden = false;
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    for (const entry of entries) run(() => walk(entry, ""));
  });

  form.addEventListener("submit", (event) => {
    if (!busy) return;
    event.preventDefault();
    submitter = event.submitter;
    status.textContent = form.dataset.waiting;
  });
})();
