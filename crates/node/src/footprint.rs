//! How much memory a node holds while it waits: a zone runs one per organisation, a factory one on a small machine.
//!
//! Both measures are hints to the operating system (Linux). Where they are not understood nothing happens.

/// Asks for small pages. The allocator prepares large ranges and asks for huge pages (2 MB) in them, of which an idle
/// node touches a corner each: 14 MB resident for 4 MB in use. To be called before anything else.
pub fn prefer_small_pages() {
    #[cfg(target_os = "linux")]
    // A kernel that refuses goes on as it would have.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Gives back the pages of our own code, of which starting needed much more than serving does: 21 MB are resident when a
/// node is ready, and 5 MB are what it executes from then on. They are the program file's pages, unchanged; those still
/// needed are mapped again when they are executed, from the page cache.
pub fn release_code() {
    #[cfg(target_os = "linux")]
    for range in code_ranges(&std::fs::read_to_string("/proc/self/maps").unwrap_or_default()) {
        linux::give_back(range);
    }
}

/// Where a process's own code is mapped, by its `/proc/PID/maps` ([proc(5)](https://man7.org/linux/man-pages/man5/proc_pid_maps.5.html)).
/// Only what is mapped private, executable, not writable, and from the file that is mapped first: the program.
#[cfg(target_os = "linux")]
fn code_ranges(maps: &str) -> Vec<std::ops::Range<usize>> {
    let mut program: Option<&str> = None;
    let mut found = Vec::new();
    for line in maps.lines() {
        // address, permissions, offset, device, inode, path
        let mut fields = line.splitn(6, ' ');
        let (Some(range), Some(permissions), Some(path)) = (fields.next(), fields.next(), fields.nth(3)) else { continue };
        let path = path.trim();
        if !path.starts_with('/') {
            continue;
        }
        if *program.get_or_insert(path) != path || permissions != "r-xp" {
            continue;
        }
        let Some((from, to)) = range.split_once('-') else { continue };
        if let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)) {
            found.push(from..to);
        }
    }
    found
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::mm::{Advice, madvise};

    #[expect(unsafe_code, reason = "the only way to say this to the kernel; the pages are read-only and come from the file again")]
    pub(super) fn give_back(range: std::ops::Range<usize>) {
        let start = std::ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: the range is code of this program, mapped private and read-only, so it holds nothing but what is in the
        // file: after MADV_DONTNEED the next access maps the same bytes again (madvise(2)). A program file that is
        // replaced while it runs is another inode; the mapping keeps the old one.
        let _ = unsafe { madvise(start, range.len(), Advice::LinuxDontNeed) };
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_programs_own_unwritable_code_is_given_back() {
        let maps = "\
55d0a0000000-55d0a0100000 r--p 00000000 fe:00 131 /usr/bin/fondaco
55d0a0100000-55d0a0300000 r-xp 00100000 fe:00 131 /usr/bin/fondaco
55d0a0300000-55d0a0310000 rwxp 00300000 fe:00 131 /usr/bin/fondaco
55d0a0310000-55d0a0320000 rw-p 00310000 fe:00 131 /usr/bin/fondaco
7f0000000000-7f0000100000 rw-p 00000000 00:00 0
7f0000200000-7f0000300000 r-xp 00020000 fe:00 140 /usr/lib/libc.so.6
7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0                          [vdso]
";
        assert_eq!(code_ranges(maps), [0x55d0_a010_0000..0x55d0_a030_0000]);
        assert!(code_ranges("").is_empty() && code_ranges("nonsense\nx-y r-xp 0 0 0 /a\n").is_empty());
    }

    #[test]
    fn a_program_goes_on_after_its_code_was_given_back() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        assert!(!code_ranges(&maps).is_empty(), "{maps}");
        release_code();
        assert_eq!(code_ranges(&maps), code_ranges(&maps));
    }
}
