internal import Glibc

/// A TCP socket that listens on an address of this machine.
///
/// **Thread-safety**: one owner. Closed with the value.
package struct ListeningSocket: ~Copyable, Sendable {
    private let descriptor: Int32
    /// The port, which is the one asked for, or one that was free.
    package let port: UInt16

    /// Begins to listen.
    ///
    /// - Parameters:
    ///   - host: An IPv4 or IPv6 address, in digits.
    ///   - port: 0 for any that is free.
    /// - Throws: `SystemError`; of the operation `getaddrinfo` where the host is no address.
    package init(host: String, port: UInt16) throws(SystemError) {
        let place = "\(host):\(port)"
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, "\(port)", &hints, &found) == 0, let address = unsafe found
        else { throw SystemError(operation: "getaddrinfo", path: place, errno: EINVAL) }
        defer { unsafe freeaddrinfo(address) }
        let family = unsafe address.pointee.ai_family
        let socket = socket(
            family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw SystemError(operation: "socket", path: place, errno: errno) }
        var yes: Int32 = 1
        // Without it a port is taken for a minute after the last run.
        unsafe setsockopt(
            socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var bound = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        func fail(_ operation: String) -> SystemError {
            let error = SystemError(operation: operation, path: place, errno: errno)
            close(socket)
            return error
        }
        guard unsafe bind(socket, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 else {
            throw fail("bind")
        }
        guard listen(socket, 16) == 0 else { throw fail("listen") }
        let named = unsafe withUnsafeMutablePointer(to: &bound) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(socket, $0, &length)
            }
        }
        guard named == 0 else { throw fail("getsockname") }
        descriptor = socket
        // Both families have the port at the same place, in the network's order.
        self.port = unsafe withUnsafeBytes(of: &bound) {
            UInt16(bigEndian: unsafe $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        }
    }

    deinit { close(descriptor) }

    /// The next connection; nil when none comes in time.
    package borrowing func accept(waitingMilliseconds limit: Int) throws(SystemError) -> Connection?
    {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&entry, 1, Int32(clamping: limit)) > 0 else { return nil }
        let socket = Glibc.accept(descriptor, nil, nil)
        guard socket >= 0 else {
            throw SystemError(operation: "accept", path: "port \(port)", errno: errno)
        }
        return Connection(socket)
    }

    /// One connection, closed with the value.
    package struct Connection: ~Copyable {
        private let descriptor: Int32

        fileprivate init(_ descriptor: Int32) {
            self.descriptor = descriptor
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }

        deinit { close(descriptor) }

        /// Appends what comes next to `bytes`; false at the end, on an error, and when nothing comes
        /// in time.
        package func receive(_ bytes: inout [UInt8], waitingMilliseconds limit: Int) -> Bool {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&entry, 1, Int32(clamping: limit)) > 0 else { return false }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return false }
            bytes += buffer[..<count]
            return true
        }

        /// Sends all of `bytes`, waiting for up to `limit` in all; false when the other side does not
        /// take them.
        package func send(_ bytes: [UInt8], waitingMilliseconds limit: Int) -> Bool {
            var at = 0
            let end = Clock.monotonicNanoseconds() + Int64(limit) * 1_000_000
            while at < bytes.count {
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                let left = (end - Clock.monotonicNanoseconds()) / 1_000_000
                guard left > 0, unsafe poll(&entry, 1, Int32(clamping: left)) > 0 else {
                    return false
                }
                let count = unsafe bytes[at...].withUnsafeBytes {
                    unsafe Glibc.send(
                        descriptor, $0.baseAddress, $0.count,
                        Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                }
                guard count > 0 || errno == EAGAIN || errno == EINTR else { return false }
                at += max(count, 0)
            }
            return true
        }
    }
}
