//! For tests only: real servers and programs, simulated clocks, media fixtures.
