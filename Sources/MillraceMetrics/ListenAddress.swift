/// Where metrics are served: an IP address of this machine and a port.
public struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// The address, such as `127.0.0.1` or `::1`.
    public let host: String
    /// The port; 0 for any that is free.
    public let port: UInt16

    /// An address from its parts; the server says whether the host is one.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `HOST:PORT`, where an IPv6 address stands in brackets and `localhost` is 127.0.0.1; nil
    /// for other text.
    public init?(parsing text: String) {
        guard let colon = text.lastIndex(of: ":"), text.last?.isASCII == true,
            text[text.index(after: colon)...].allSatisfy(\.isWholeNumber),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.isEmpty || host.contains(":") {
            return nil
        }
        self.init(host: host == "localhost" ? "127.0.0.1" : String(host), port: port)
    }

    /// Such as `127.0.0.1:9464` or `[::1]:9464`.
    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
