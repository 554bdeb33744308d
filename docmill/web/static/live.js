// Times in the reader's zone. Pages work without this script.
"use strict";
for (const time of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) {
    time.textContent = moment.toLocaleString(undefined, {
      year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
    });
  }
}

// Progress of running jobs, once a second. When the stream says that a job has gone, the page is read again.
const bars = document.querySelectorAll("[data-job]");
if (bars.length > 0 && window.EventSource) {
  const stream = new EventSource("/events");
  stream.onmessage = (message) => {
    const open = new Map(JSON.parse(message.data).map((job) => [String(job.job), job]));
    for (const bar of bars) {
      const job = open.get(bar.dataset.job);
      if (!job) {
        stream.close();
        window.location.reload();
        return;
      }
      bar.querySelector(".done").setAttribute("width", (100 * job.share).toFixed(1));
      bar.setAttribute("aria-label", Math.round(100 * job.share) + " %");
    }
  };
}

// Keys: / goes to the search or filter, j and k go through the rows, Enter opens one, ? tells these.
const rows = [...document.querySelectorAll("table.cards tbody tr, main .card")].filter((row) => row.querySelector("a[href]"));
let chosen = -1;
function choose(place) {
  if (rows.length === 0) return;
  if (chosen >= 0) rows[chosen].classList.remove("chosen");
  chosen = Math.max(0, Math.min(place, rows.length - 1));
  rows[chosen].classList.add("chosen");
  rows[chosen].querySelector("a[href]").focus();
  rows[chosen].scrollIntoView({ block: "nearest" });
}
const help = document.getElementById("keys");
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  if (event.key === "j") choose(chosen + 1);
  else if (event.key === "k") choose(chosen - 1);
  else if (event.key === "?" && help) help.showModal();
  else if (event.key === "/") {
    const field =
      document.querySelector("main input[type=search]") ||
      document.querySelector("input[type=search], form[role=search] input:not([type=hidden])");
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select();
  }
});
