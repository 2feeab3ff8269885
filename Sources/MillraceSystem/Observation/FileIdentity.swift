internal import Glibc

/// Which file this is, whatever it is called: renaming keeps it.
package struct FileIdentity: Hashable, Sendable {
    /// The device that holds the file.
    package let device: UInt64
    /// The file's number on its device, used again once the file is gone.
    package let inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    /// The identity of an open file; zeros when the kernel does not tell.
    ///
    /// Not itself a call that observers see: it is how they learn what a descriptor means.
    package init(descriptor: Int32) {
        var status = stat()
        let known = unsafe fstat(descriptor, &status) == 0
        device = known ? UInt64(status.st_dev) : 0
        inode = known ? UInt64(status.st_ino) : 0
    }
}
