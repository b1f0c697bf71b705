// What rustc makes of a small function without its standard library: slices with
// their checks, core's sort and formatting, trait objects, 64-bit arithmetic, a match
// over bytes, a panic handler. It writes the lines of its input in order, each with a
// checksum; a line "work" doubles how often it computes what comes last.
#![no_std]
#![no_main]
use core::arch::wasm32;
use core::fmt::{self, Write};

#[repr(C)]
struct Piece {
    at: *const u8,
    length: usize,
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn fd_read(fd: u32, pieces: *const Piece, n: usize, done: *mut usize) -> u32;
    fn fd_write(fd: u32, pieces: *const Piece, n: usize, done: *mut usize) -> u32;
    fn proc_exit(code: u32) -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    wasm32::unreachable()
}

struct Out;

impl Write for Out {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let (piece, mut done) = (Piece { at: s.as_ptr(), length: s.len() }, 0);
        match unsafe { fd_write(1, &piece, 1, &mut done) } {
            0 if done == s.len() => Ok(()),
            _ => Err(fmt::Error),
        }
    }
}

trait Sum {
    fn add(&mut self, byte: u8);
    fn value(&self) -> u64;
}

struct Fnv(u64);
struct Adler(u32, u32);

impl Sum for Fnv {
    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ byte as u64).wrapping_mul(1099511628211);
    }
    fn value(&self) -> u64 {
        self.0
    }
}

impl Sum for Adler {
    fn add(&mut self, byte: u8) {
        self.0 = (self.0 + byte as u32) % 65521;
        self.1 = (self.1 + self.0) % 65521;
    }
    fn value(&self) -> u64 {
        (self.1 as u64) << 16 | self.0 as u64
    }
}

fn weight(line: &[u8]) -> f64 {
    let mut w = 0.5;
    for &c in line {
        w += match c {
            b'0'..=b'9' => 1.0,
            b'a' | b'e' | b'i' | b'o' | b'u' => 2.25,
            b' ' | b'\t' => 0.0,
            b':' | b'-' | b'#' => -1.5,
            _ => 1.125,
        };
    }
    if w > 0.0 { w / line.len() as f64 } else { w }
}

fn steps(mut n: u64) -> u32 {
    let mut count = 0;
    while n != 1 {
        n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
        count += 1;
    }
    count
}

const ROOM: usize = 16; // pages

fn function() -> Result<(), fmt::Error> {
    let first = wasm32::memory_grow(0, 2 * ROOM);
    if first == usize::MAX {
        return Err(fmt::Error);
    }
    let text = unsafe { core::slice::from_raw_parts_mut((first << 16) as *mut u8, ROOM << 16) };
    let mut size = 0;
    loop {
        let rest = &mut text[size..];
        let (piece, mut done) = (Piece { at: rest.as_mut_ptr(), length: rest.len() }, 0);
        if unsafe { fd_read(0, &piece, 1, &mut done) } != 0 {
            return Err(fmt::Error);
        }
        if done == 0 {
            break;
        }
        size += done;
    }
    let empty: &[u8] = &[];
    let lines = unsafe { core::slice::from_raw_parts_mut(((first + ROOM) << 16) as *mut &[u8], 1000) };
    let (mut n, mut work) = (0, 50);
    lines.fill(empty);
    for line in text[..size].split(|&c| c == b'\n') {
        lines[n] = line; // a thousand and one lines are one too many
        n += 1;
        if line == b"work" {
            work *= 2;
        }
    }
    lines[..n].sort_unstable_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    for (i, line) in lines[..n].iter().enumerate() {
        let (mut fnv, mut adler) = (Fnv(14695981039346656037), Adler(1, 0));
        let sum: &mut dyn Sum = if i % 3 == 0 { &mut adler } else { &mut fnv };
        line.iter().for_each(|&c| sum.add(c));
        let thousandths = (weight(line) * 1000.0) as i64;
        writeln!(Out, "{:>4} {:016x} {:+} {}", i, sum.value(), thousandths, core::str::from_utf8(line).unwrap_or("?"))?;
    }
    let most = (1..work).map(steps).max().unwrap_or(0);
    writeln!(Out, "{} {}", n, most)
}

#[no_mangle]
pub extern "C" fn _start() {
    if function().is_err() {
        unsafe { proc_exit(1) }
    }
}
