//! Answers that are made while the store is at hand: objects of the command line, lists, CSV.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::service::words::to_json;
use crate::{Error, ErrorKind, Result};

/// An answer that is ready to be sent.
#[derive(Debug)]
pub(in crate::web) struct Answer {
    status: StatusCode,
    kind: &'static str,
    body: String,
}

impl Answer {
    /// Returns an object.
    pub(in crate::web) fn object(object: &impl Serialize) -> Result<Self> {
        Ok(Self {
            status: StatusCode::OK,
            kind: "application/json",
            body: to_json(object)?,
        })
    }

    /// Returns a list of objects, of which `next` has the cursor of the following page.
    pub(in crate::web) fn list(
        items: &[impl Serialize],
        next: Option<String>,
        count: u64,
    ) -> Result<Self> {
        #[derive(Serialize)]
        struct List<'a, T> {
            items: &'a [T],
            next: Option<String>,
            count: u64,
        }
        Self::object(&List { items, next, count })
    }

    /// Returns rows as CSV, the names of the columns first.
    pub(in crate::web) fn csv(columns: &[&str], rows: &[Vec<String>]) -> Self {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut body = csv_line(&columns);
        body.extend(rows.iter().map(|row| csv_line(row)));
        Self {
            status: StatusCode::OK,
            kind: "text/csv; charset=utf-8",
            body,
        }
    }

    /// Sets the status.
    pub(in crate::web) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// Writes a row as RFC 4180 says. What a table program would take for a formula is kept as text.
pub(in crate::web) fn csv_line(fields: &[String]) -> String {
    let fields = fields.iter().map(|field| {
        let is_formula = field.starts_with(['=', '+', '@', '\t', '\r'])
            || (field.starts_with('-') && field.parse::<f64>().is_err());
        let field = if is_formula {
            format!("'{field}")
        } else {
            field.clone()
        };
        if field.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field
        }
    });
    fields.collect::<Vec<_>>().join(",") + "\r\n"
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.kind),
            (header::CACHE_CONTROL, "no-store"),
        ];
        (self.status, headers, self.body).into_response()
    }
}

/// Reads the body of a request. Without one, everything is as usual.
pub(super) fn body<T: Default + for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T> {
    if bytes.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    let refused =
        |told: String| Error::new(ErrorKind::Invalid, told).hint("/openapi.json describes it");
    // An array would be taken for the members in their order.
    if !bytes.trim_ascii().starts_with(b"{") {
        return Err(refused("the body is no JSON object".to_owned()));
    }
    let read = serde_json::from_slice(bytes);
    read.map_err(|error| refused(format!("the body cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error text that begins with `=` ran as a formula in a table program.
    #[test]
    fn a_field_of_csv_is_text_and_nothing_else() {
        let fields = ["=1+1", "-5", "-x", "a,b", "say \"x\""].map(str::to_owned);
        assert_eq!(
            csv_line(&fields),
            "'=1+1,-5,'-x,\"a,b\",\"say \"\"x\"\"\"\r\n"
        );
    }
}
