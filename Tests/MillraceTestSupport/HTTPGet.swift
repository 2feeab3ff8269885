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

    /// A connection to `127.0.0.1`, closed with the value at the latest.
    public final class Client {
        private let socket: Int32
        private var isOpen = true

        /// Connects; what is received later is waited for, up to ten seconds.
        public init(port: UInt16) throws(SystemError) {
            let place = "port \(port)"
            socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard socket >= 0 else {
                throw SystemError(operation: "socket", path: place, errno: errno)
            }
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
            guard result == 0 else {
                throw SystemError(operation: "connect", path: place, errno: errno)
            }
        }

        deinit { close() }

        /// Ends the connection.
        public func close() {
            if isOpen { Glibc.close(socket) }
            isOpen = false
        }

        /// Sends some bytes.
        public func send(_ bytes: [UInt8]) throws(SystemError) {
            let count = unsafe Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            guard count == bytes.count else {
                throw SystemError(operation: "send", path: "a client", errno: errno)
            }
        }

        /// What the server says until it closes the connection.
        public func answer() throws(SystemError) -> Answer {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = unsafe recv(socket, &buffer, buffer.count, 0)
                guard count >= 0 else {
                    throw SystemError(operation: "recv", path: "a client", errno: errno)
                }
                if count == 0 { break }
                bytes += buffer[..<count]
            }
            return HTTPGet.answer(String(decoding: bytes, as: UTF8.self))
        }
    }

    /// Asks `127.0.0.1:port` for a path; waits for up to ten seconds.
    public static func from(port: UInt16, _ path: String) throws(SystemError) -> Answer {
        let client = try Client(port: port)
        try client.send(Array("GET \(path) HTTP/1.1\r\nHost: here\r\n\r\n".utf8))
        return try client.answer()
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
