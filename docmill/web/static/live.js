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

// The key / goes to the search line, unless somebody is typing.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, [contenteditable]");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const line = document.querySelector("main input[type=search]") || document.querySelector("input[type=search]");
    if (line) {
      event.preventDefault();
      line.focus();
      line.select();
    }
  }
});
