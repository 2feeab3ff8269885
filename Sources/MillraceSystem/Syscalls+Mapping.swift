internal import CMillraceLinux
internal import Glibc

/// Calls on mapped files.
extension Syscalls {
    static func map(
        _ fd: Int32, _ path: String, bytes: Int, writable: Bool
    ) throws(SystemError) -> UnsafeMutableRawPointer {
        func file() -> DiskCall.File {
            DiskCall.File(path: path, identity: FileIdentity(descriptor: fd))
        }
        let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
        var address: UnsafeMutableRawPointer?
        _ = try call("mmap", path, .map(file(), count: bytes, writable: writable)) { _ in
            unsafe address = mmap(nil, bytes, protection, MAP_SHARED, fd, 0)
            return unsafe address == MAP_FAILED ? -Int(errno) : 0
        }
        // The kernel never gives address zero away unless asked to.
        guard let address = unsafe address else {
            throw SystemError(operation: "mmap", path: path, errno: ENOMEM)
        }
        if DiskObservation.isActive {
            unsafe DiskObservation.mapped(address, count: bytes, file())
        }
        return unsafe address
    }

    static func unmap(_ address: UnsafeMutableRawPointer, bytes: Int) {
        // Forgotten first: the kernel may give the addresses to another mapping at once.
        if DiskObservation.isActive { unsafe DiskObservation.unmapped(address) }
        _ = unsafe munmap(address, bytes)
    }

    static func syncMap(
        _ address: UnsafeMutableRawPointer, _ path: String, bytes: Int
    ) throws(SystemError) {
        _ = try call(
            "msync", path, .syncMap(unsafe mappedFile(address, path), count: bytes)
        ) { _ in unsafe msync(address, bytes, MS_SYNC) == 0 ? 0 : -Int(errno) }
    }

    /// Faults in pages of a writable mapping; `address` is the mapping's, `offset` a page's.
    static func populate(
        _ address: UnsafeMutableRawPointer, _ path: String, from offset: Int, bytes: Int
    ) throws(SystemError) {
        _ = try call(
            "madvise(MADV_POPULATE_WRITE)", path,
            .populate(unsafe mappedFile(address, path), offset: offset, count: bytes)
        ) { _ in Int(unsafe ml_populate(address + offset, bytes)) }
    }

    private static func mappedFile(
        _ address: UnsafeMutableRawPointer, _ path: String
    ) -> DiskCall.File {
        unsafe DiskObservation.file(mappedAt: address)
            ?? DiskCall.File(path: path, identity: FileIdentity(device: 0, inode: 0))
    }
}
