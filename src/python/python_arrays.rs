//! The name under which `optimizer` knows Python's arrays: what it takes to be that is in `holder` and
//! `elsewhere`.

pub(super) struct PythonArrays;
