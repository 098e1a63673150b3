//! The PROXY protocol, versions 1 and 2: what a load balancer says about the client before the first byte of TLS or HTTP.
//! Only peers that were named speak it, and they always do.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// What version 2 begins with. Longer than the shortest header of version 1 is without its end.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included.
const LINE: usize = 107;
/// The most that version 2 may bring besides its first 16 bytes: addresses, and remarks that are skipped.
const REST: usize = 4096;

/// Reads the header and not a byte more. `None`: the peer speaks for itself, or of somebody without an address.
///
/// # Errors
/// What comes is no such header, or the connection ends.
pub(in crate::plane) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if length > REST {
            return Err(malformed());
        }
        let mut rest = vec![0; length];
        stream.read_exact(&mut rest).await?;
        return version2(head[0], head[1], &rest);
    }
    if !start.starts_with(b"PROXY ") {
        return Err(malformed());
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\n") {
        let mut ahead = [0; LINE];
        let room = LINE.checked_sub(line.len()).filter(|room| *room > 0).ok_or_else(malformed)?;
        // What is looked at stays in the socket: what follows the line belongs to somebody else.
        let seen = stream.peek(&mut ahead[..room]).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let take = ahead[..seen].iter().position(|byte| *byte == b'\n').map_or(seen, |at| at + 1);
        stream.read_exact(&mut ahead[..take]).await?;
        line.extend_from_slice(&ahead[..take]);
    }
    version1(&line)
}

fn malformed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

pub(in crate::plane) fn version1(line: &[u8]) -> io::Result<Option<SocketAddr>> {
    let text = std::str::from_utf8(line).ok().and_then(|line| line.strip_suffix("\r\n")).ok_or_else(malformed)?;
    let mut words = text.split(' ');
    let (Some("PROXY"), Some(family)) = (words.next(), words.next()) else { return Err(malformed()) };
    if family == "UNKNOWN" {
        return Ok(None);
    }
    let words: Vec<&str> = words.collect();
    let &[from, to, from_port, to_port] = words.as_slice() else { return Err(malformed()) };
    let address = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().map(IpAddr::from).map_err(|_| malformed()),
        "TCP6" => text.parse::<Ipv6Addr>().map(IpAddr::from).map_err(|_| malformed()),
        _ => Err(malformed()),
    };
    let port = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse::<u16>().map_err(|_| malformed()),
        false => Err(malformed()),
    };
    let (from, from_port) = (address(from)?, port(from_port)?);
    let _ = (address(to)?, port(to_port)?);
    Ok(Some(SocketAddr::new(from, from_port)))
}

pub(in crate::plane) fn version2(command: u8, family: u8, rest: &[u8]) -> io::Result<Option<SocketAddr>> {
    match command {
        // The balancer's own, as for its health checks.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(malformed()),
    }
    match family {
        0x11 => {
            let part = rest.get(..12).ok_or_else(malformed)?;
            let from: [u8; 4] = part[..4].try_into().map_err(|_| malformed())?;
            Ok(Some(SocketAddr::new(from.into(), u16::from_be_bytes([part[8], part[9]]))))
        }
        0x21 => {
            let part = rest.get(..36).ok_or_else(malformed)?;
            let from: [u8; 16] = part[..16].try_into().map_err(|_| malformed())?;
            Ok(Some(SocketAddr::new(from.into(), u16::from_be_bytes([part[32], part[33]]))))
        }
        // Unspecified, and Unix sockets: there is somebody, without an address.
        0x00 | 0x31 => Ok(None),
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..<_>::default() })]
        #[test]
        fn any_bytes_are_read_or_turned_down(bytes: Vec<u8>, command: u8, family: u8) {
            let _ = version1(&bytes);
            let _ = version1(&[b"PROXY TCP4 ", &bytes[..], b"\r\n"].concat());
            let _ = version2(command, family, &bytes);
        }
    }

    #[test]
    fn version_1() {
        let read = |line: &str| version1(line.as_bytes()).map(|a| a.map(|a| a.to_string())).map_err(|_| ());
        for (line, expected) in [
            ("PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n", Some("192.0.2.7:4711")),
            ("PROXY TCP6 2001:db8::7 ::1 4711 443\r\n", Some("[2001:db8::7]:4711")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        ] {
            assert_eq!(read(line), Ok(expected.map(str::to_owned)), "{line}");
        }
        for line in [
            "PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 4711 80 1\r\n",
            "PROXY TCP4  192.0.2.7 10.0.0.1 4711 80\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 65536 80\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 +1 80\r\n",
            "PROXY TCP4 2001:db8::7 ::1 1 80\r\n",
            "PROXY TCP6 192.0.2.7 10.0.0.1 1 80\r\n",
            "PROXY UDP4 192.0.2.7 10.0.0.1 1 80\r\n",
            "PROXY TCP4 shop.test 10.0.0.1 1 80\r\n",
            "PROXY \r\n",
            "proxy TCP4 192.0.2.7 10.0.0.1 1 80\r\n",
        ] {
            assert_eq!(read(line), Err(()), "{line}");
        }
    }

    #[test]
    fn version_2() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0, 80];
        let mut v6 = [0; 36];
        v6[15] = 7;
        v6[32..34].copy_from_slice(&4711_u16.to_be_bytes());
        let read =
            |command, family, rest: &[u8]| version2(command, family, rest).map(|a| a.map(|a| a.to_string())).ok();
        assert_eq!(read(0x21, 0x11, &v4), Some(Some("192.0.2.7:4711".into())));
        assert_eq!(read(0x21, 0x11, &[&v4[..], b"\x04\x00\x01x"].concat()), Some(Some("192.0.2.7:4711".into())));
        assert_eq!(read(0x21, 0x21, &v6), Some(Some("[::7]:4711".into())));
        assert_eq!(read(0x20, 0x11, &v4), Some(None));
        assert_eq!(read(0x20, 0x00, &[]), Some(None));
        assert_eq!(read(0x21, 0x00, &[]), Some(None));
        assert_eq!(read(0x21, 0x31, &[0; 216]), Some(None));
        for (command, family, rest) in [
            (0x22, 0x11, &v4[..]),
            (0x11, 0x11, &v4),
            (0x21, 0x11, &v4[..11]),
            (0x21, 0x21, &v6[..35]),
            (0x21, 0x12, &v4),
            (0x21, 0xff, &v4),
        ] {
            assert_eq!(read(command, family, rest), None, "{command:#x} {family:#x}");
        }
    }
}
