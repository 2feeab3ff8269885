public import MillraceSystem
internal import Glibc

/// One request over HTTP to this machine, without a library.
public enum HTTPGet {
    /// What a server answered.
    public struct Answer: Sendable {
        /// Such as 200.
        public let status: Int
        /// The header fields, names in lower case.
        public let fields: [String: String]
        /// What follows them.
        public let body: String
    }

    /// Asks `127.0.0.1:port` for a path, on a thread of its own; see `from`.
    ///
    /// For tests beside a server of the same process, which runs on the threads that tests run on.
    public static func answer(port: UInt16, _ path: String) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            do throws(SystemError) {
                _ = try PinnedThread(name: "client", core: nil) {
                    continuation.resume(with: Result { try from(port: port, path) })
                }
            } catch { continuation.resume(throwing: error) }
        }
    }

    /// Asks `127.0.0.1:port` for a path; waits for up to ten seconds.
    public static func from(port: UInt16, _ path: String) throws(SystemError) -> Answer {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw SystemError(operation: "socket", path: path, errno: errno) }
        defer { close(socket) }
        var wait = timeval(tv_sec: 10, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &wait, size)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw SystemError(operation: "connect", path: path, errno: errno) }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".utf8)
        guard
            unsafe send(socket, request, request.count, Int32(MSG_NOSIGNAL))
                == request.count
        else { throw SystemError(operation: "send", path: path, errno: errno) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe recv(socket, &buffer, buffer.count, 0)
            guard count >= 0 else { throw SystemError(operation: "recv", path: path, errno: errno) }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return Self.answer(String(decoding: bytes, as: UTF8.self))
    }

    private static func answer(_ text: String) -> Answer {
        let end = text.firstRange(of: "\r\n\r\n")
        let head = text[..<(end?.lowerBound ?? text.endIndex)].split(separator: "\r\n")
        var fields: [String: String] = [:]
        for line in head.dropFirst() {
            let parts = line.split(separator: ": ", maxSplits: 1)
            if parts.count == 2 { fields[parts[0].lowercased()] = String(parts[1]) }
        }
        let status = head.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return Answer(
            status: status ?? 0, fields: fields,
            body: end.map { String(text[$0.upperBound...]) } ?? "")
    }
}
