//! What the standard library does not ask of Windows about an open file: identity, times and attributes in one step,
//! the names of streams, reparse points.
//!
//! The only unsafe code of the program is here, because no safe wrapper has these calls. Each block hands the system a
//! buffer that lives across the call and its true length, and a handle that a borrowed [`File`] keeps open; what comes
//! back is taken for bytes until it has been checked.
#![allow(unsafe_code)]

use super::times;
use crate::format::FileTime;
use std::fs::File;
use std::io;
use std::os::windows::io::AsRawHandle;
use windows_sys::Win32::Foundation::{ERROR_HANDLE_EOF, ERROR_MORE_DATA, FILETIME};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_REPARSE_POINT, FILE_ATTRIBUTE_TAG_INFO,
    FILE_BASIC_INFO, FILE_INFO_BY_HANDLE_CLASS, FileAttributeTagInfo, FileBasicInfo,
    FileStreamInfo, GetFileInformationByHandle, GetFileInformationByHandleEx,
    SetFileInformationByHandle,
};
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Ioctl::FSCTL_SET_REPARSE_POINT;

/// More than this of stream names on one file is an error.
const MAX_STREAM_INFO: usize = 4 << 20;

/// What an open file, directory or reparse point says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// `FILE_ATTRIBUTE_*`.
    pub attributes: u32,
    /// `IO_REPARSE_TAG_*`; 0 where there is no reparse point.
    pub tag: u32,
    /// When it was created.
    pub created: FileTime,
    /// Last write.
    pub written: FileTime,
    /// Last change of content or metadata; zero where the file system does not keep it.
    pub changed: FileTime,
    /// Length in bytes.
    pub size: u64,
    /// Number of names.
    pub links: u32,
    /// Serial number of the volume, and the file's number on it.
    pub identity: (u64, u64),
}

/// Asks for all of [`Info`]. The handle needs `FILE_READ_ATTRIBUTES`.
pub fn info(file: &File) -> io::Result<Info> {
    // SAFETY: a structure of integers, for which zeros are valid.
    let mut by_handle: BY_HANDLE_FILE_INFORMATION = unsafe { std::mem::zeroed() };
    // SAFETY: the handle is open while `file` is borrowed, and the pointer is to a whole structure of this type.
    let done = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut by_handle) };
    check(done)?;
    // Not every file system has a change time; then there is none.
    let changed = query::<FILE_BASIC_INFO>(file, FileBasicInfo)
        .map_or_else(|_| FileTime::default(), |b| times::from_ticks(b.ChangeTime));
    let tag = match by_handle.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT {
        0 => 0,
        _ => query::<FILE_ATTRIBUTE_TAG_INFO>(file, FileAttributeTagInfo)?.ReparseTag,
    };
    Ok(Info {
        attributes: by_handle.dwFileAttributes,
        tag,
        created: filetime(by_handle.ftCreationTime),
        written: filetime(by_handle.ftLastWriteTime),
        changed,
        size: join(by_handle.nFileSizeHigh, by_handle.nFileSizeLow),
        links: by_handle.nNumberOfLinks,
        identity: (
            by_handle.dwVolumeSerialNumber.into(),
            join(by_handle.nFileIndexHigh, by_handle.nFileIndexLow),
        ),
    })
}

/// Sets attributes and times at once; `None` leaves them. The handle needs `FILE_WRITE_ATTRIBUTES`.
pub fn set_basic(
    file: &File,
    attributes: Option<u32>,
    created: Option<FileTime>,
    written: FileTime,
) -> io::Result<()> {
    // Zero means "leave it" in every field.
    let basic = FILE_BASIC_INFO {
        CreationTime: created.map_or(0, times::to_ticks),
        LastAccessTime: 0,
        LastWriteTime: times::to_ticks(written),
        ChangeTime: 0,
        FileAttributes: attributes.unwrap_or(0),
    };
    // SAFETY: the handle is open while `file` is borrowed; the buffer is a whole structure of the class that is named.
    let done = unsafe {
        SetFileInformationByHandle(
            file.as_raw_handle(),
            FileBasicInfo,
            (&raw const basic).cast(),
            size_of::<FILE_BASIC_INFO>() as u32,
        )
    };
    check(done)
}

/// The list of streams as the system gives it (a chain of `FILE_STREAM_INFO`); empty where there are none.
pub fn stream_info(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = 4096;
    loop {
        // Of words, as the structure must be aligned to eight bytes.
        let mut buffer = vec![0u64; bytes / 8];
        // SAFETY: the handle is open while `file` is borrowed; the buffer is aligned and `bytes` long.
        let done = unsafe {
            GetFileInformationByHandleEx(
                file.as_raw_handle(),
                FileStreamInfo,
                buffer.as_mut_ptr().cast(),
                bytes as u32,
            )
        };
        match check(done) {
            Ok(()) => return Ok(buffer.iter().flat_map(|w| w.to_ne_bytes()).collect()),
            Err(e) if is(&e, ERROR_HANDLE_EOF) => return Ok(Vec::new()),
            Err(e) if is(&e, ERROR_MORE_DATA) && bytes < MAX_STREAM_INFO => bytes *= 4,
            Err(e) => return Err(e),
        }
    }
}

/// Makes an empty file or directory a reparse point with this data (a `REPARSE_DATA_BUFFER`). The handle needs
/// `GENERIC_WRITE`.
pub fn set_reparse_point(file: &File, data: &[u8]) -> io::Result<()> {
    let mut returned = 0;
    let len = u32::try_from(data.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the handle is open while `file` is borrowed; `data` is `len` bytes that are only read; there is no output
    // buffer, and without an OVERLAPPED structure the call is over when it returns.
    let done = unsafe {
        DeviceIoControl(
            file.as_raw_handle(),
            FSCTL_SET_REPARSE_POINT,
            data.as_ptr().cast(),
            len,
            std::ptr::null_mut(),
            0,
            &mut returned,
            std::ptr::null_mut(),
        )
    };
    check(done)
}

/// The structures that [`query`] may fill: integers alone, so that zeros and whatever the system writes are valid.
trait Plain {}
impl Plain for FILE_BASIC_INFO {}
impl Plain for FILE_ATTRIBUTE_TAG_INFO {}

fn query<T: Plain>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS) -> io::Result<T> {
    // SAFETY: `Plain` says that zeros are valid.
    let mut out: T = unsafe { std::mem::zeroed() };
    // SAFETY: the handle is open while `file` is borrowed; the system writes no more than the size given.
    let done = unsafe {
        GetFileInformationByHandleEx(
            file.as_raw_handle(),
            class,
            (&raw mut out).cast(),
            size_of::<T>() as u32,
        )
    };
    check(done).map(|()| out)
}

fn check(done: i32) -> io::Result<()> {
    match done {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Is this the system's error of that number?
pub fn is(error: &io::Error, number: u32) -> bool {
    error.raw_os_error() == Some(number as i32)
}

fn join(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn filetime(time: FILETIME) -> FileTime {
    times::from_ticks(join(time.dwHighDateTime, time.dwLowDateTime) as i64)
}
