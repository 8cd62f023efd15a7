// A click on a switch takes its unit out of the net or puts it back; the value is those left out.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const unit = Number(button.dataset.unit);
  const gone = new Set(props.value);
  if (button.classList.contains("all")) gone.clear();
  else if (!gone.delete(unit)) gone.add(unit);
  props.value = [...gone].sort((one, other) => one - other);
});
