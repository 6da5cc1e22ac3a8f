//! Small tables.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// A table of three rows.
pub const WIND: &str = "hour,station,wind_m_s\n0,pier,3.5\n1,pier,4.5\n2,tower,\n";
/// Its next version: one row more.
pub const WIND_2: &str = "hour,station,wind_m_s\n0,pier,3.5\n1,pier,4.5\n2,tower,\n3,tower,6.25\n";

/// Writes a file of text.
pub fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("the file");
    path
}

/// A CSV file whose Parquet form has at least `bytes` bytes: text that hardly compresses.
pub fn write_large(dir: &Path, name: &str, bytes: usize) -> PathBuf {
    const CELL: usize = 32 * 1024;
    // Six random bits in each character; compression cannot go below six eighths.
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut text = String::from("id,blob\n");
    for id in 0..=(bytes * 8 / 6).div_ceil(CELL) {
        write!(text, "{id},").expect("a string grows");
        for _ in 0..CELL {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.push(char::from(ALPHABET[usize::try_from(state >> 58).expect("six bits")]));
        }
        text.push('\n');
    }
    write(dir, name, &text)
}
