//! Packs the built web page for the binary: a table of its files, each as it is and compressed.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist");
    println!("cargo::rerun-if-changed={}", page.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut table = String::from("&[");
    for (number, file) in files(&page)?.iter().enumerate() {
        let compressed = out.join(format!("{number}.gz"));
        table += &entry(&page, file, &compressed)?;
    }
    table += "]";
    fs::write(out.join("page.rs"), table)
}

/// All files in a folder and in those below it, in the order of their names.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A line of the table that `src/ui.rs` takes in: a `File`.
fn entry(page: &Path, file: &Path, compressed: &Path) -> io::Result<String> {
    let bytes = fs::read(file)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bytes)?;
    let gzip = gzip.finish()?;
    let gzip_in_table = if gzip.len() < bytes.len() {
        fs::write(compressed, gzip)?;
        let file = compressed.display().to_string();
        format!("Some(include_bytes!({file:?}).as_slice())")
    } else {
        "None".to_owned()
    };
    let name = file.strip_prefix(page).map_err(io::Error::other)?;
    let path = format!("/{}", name.display()).replace('\\', "/");
    let media_type = media_type(file)?;
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes));
    let file = file.display().to_string();
    Ok(format!(
        "File {{ path: {path:?}, media_type: {media_type:?}, hash: {hash:?}, \
         bytes: include_bytes!({file:?}), gzip: {gzip_in_table} }},"
    ))
}

fn media_type(file: &Path) -> io::Result<&'static str> {
    match file.extension().and_then(OsStr::to_str) {
        Some("html") => Ok("text/html; charset=utf-8"),
        Some("js") => Ok("text/javascript; charset=utf-8"),
        Some("css") => Ok("text/css; charset=utf-8"),
        Some("svg") => Ok("image/svg+xml"),
        Some("png") => Ok("image/png"),
        Some("woff2") => Ok("font/woff2"),
        Some("txt") => Ok("text/plain; charset=utf-8"),
        Some("webmanifest") => Ok("application/manifest+json"),
        _ => Err(io::Error::other(format!(
            "{} has no media type",
            file.display()
        ))),
    }
}
