"""Worker processes: devices, launcher, supervision."""
