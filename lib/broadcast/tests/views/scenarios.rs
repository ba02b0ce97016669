//! Small named cases.
