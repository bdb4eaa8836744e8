"""What every layer may use: errors, units, arrays, text, files, progress, disclosure."""
