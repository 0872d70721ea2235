//! Environment variables.

/// What the variable says, None if it is not set or empty.
pub(super) fn text(name: &str) -> Result<Option<String>, String> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    match value.into_string() {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(value) => Err(format!("{name} must be UTF-8, found {value:?}")),
    }
}
