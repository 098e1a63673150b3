//! Those to compare with, tuned as somebody would who cares: a worker a core, connections to the upstream kept, and in
//! the log the fields that once writes.

use std::fs;
use std::io;
use std::net::SocketAddr;

use crate::bed::{Bed, HOST, Server, free, reachable, with_children};

/// Static files from one worker. Its logs and temporary files stay in the folder.
const UPSTREAM: &str = "
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; sendfile on; open_file_cache max=16;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server { listen {http} backlog=4096; root {folder}; }
}";

const NGINX: &str = "
daemon off; worker_processes {threads}; {affinity} pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events { worker_connections 16384; }
http {
  keepalive_requests 1000000000; keepalive_timeout 300s; {buffers}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  log_format line escape=json '{\"time\":\"$time_iso8601\",\"host\":\"$http_host\",\"path\":\"$uri\",'
    '\"request_id\":\"$request_id\",\"status\":$status,\"target\":\"$upstream_addr\",\"duration\":\"$request_time\",'
    '\"method\":\"$request_method\",\"req_content_length\":\"$http_content_length\",'
    '\"req_content_type\":\"$http_content_type\",\"resp_content_length\":$body_bytes_sent,'
    '\"resp_content_type\":\"$sent_http_content_type\",\"client_addr\":\"$remote_addr\",\"client_port\":\"$remote_port\",'
    '\"remote_addr\":\"$remote_addr\",\"user_agent\":\"$http_user_agent\",\"proto\":\"$server_protocol\",'
    '\"scheme\":\"$scheme\",\"query\":\"$args\"}';
  access_log {folder}/{name}.log line buffer=32k flush=1s;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; ssl_session_cache shared:all:4m;
  server_names_hash_max_size 65536;
  {apps}
}";

/// One app of it, with a pool of its own as an app's container would have.
const NGINX_APP: &str = "
  upstream {app} { server {upstream}; keepalive 512; keepalive_requests 1000000000; }
  server {
    {listen} server_name {host};
    location / {
      proxy_pass http://{app}; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Request-ID $request_id; proxy_set_header X-Request-Start \"t=$msec\";
    }
  }";

const HAPROXY: &str = "
global
  nbthread {threads}
  maxconn 4000
  log stdout format raw local0 info
defaults
  mode http
  log global
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  http-reuse always
frontend front
  bind {http} backlog 4096
  bind {https} ssl crt {folder}/both.pem backlog 4096
  unique-id-format %{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header X-Request-ID
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto http unless { ssl_fc }
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  http-request set-header X-Request-Start t=%[date(0,ms)]
  http-request capture req.hdr(host) len 64
  http-request capture req.hdr(user-agent) len 64
  log-format '{\"time\":\"%tr\",\"host\":\"%[capture.req.hdr(0)]\",\"path\":\"%HPO\",\"request_id\":\"%ID\",\"status\":%ST,\"target\":\"%si:%sp\",\"duration\":%Ta,\"method\":\"%HM\",\"resp_content_length\":%B,\"client_addr\":\"%ci\",\"client_port\":%cp,\"remote_addr\":\"%ci\",\"user_agent\":\"%[capture.req.hdr(1)]\",\"proto\":\"%HV\",\"query\":\"%HQ\"}'
  default_backend app
backend app
  server one {upstream} pool-max-conn 1024
";

/// What is said of them in the output.
pub const TUNING: &str = "nginx: a worker a core, keepalive 512 to the upstream, log buffered by 32 KiB; `nginx tuned` has proxy_buffers of \
64 KiB, and its workers bound to cores, besides. HAProxy: a thread a core, http-reuse always, log to standard output. go: a bare httputil.ReverseProxy, \
which is what kamal-proxy costs; no log";

pub fn upstream(bed: &mut Bed) -> io::Result<Server> {
    let http = free()?;
    nginx(bed, "upstream", UPSTREAM, http, None, 1)
}

/// As a proxy.
pub fn nginx_proxy(bed: &mut Bed, upstream: &Server, tuned: bool) -> io::Result<Server> {
    nginx_of(bed, upstream, tuned, &[HOST.to_owned()])
}

/// As a proxy of many apps, all at one address.
pub fn nginx_of_many(bed: &mut Bed, upstream: &Server, hosts: &[String]) -> io::Result<Server> {
    nginx_of(bed, upstream, false, hosts)
}

fn nginx_of(bed: &mut Bed, upstream: &Server, tuned: bool, hosts: &[String]) -> io::Result<Server> {
    let (name, affinity, buffers) = match tuned {
        false => ("nginx", "", ""),
        true => (
            "nginx tuned",
            "worker_cpu_affinity auto;",
            "proxy_buffer_size 64k; proxy_buffers 4 64k; proxy_busy_buffers_size 128k;",
        ),
    };
    let (http, https) = (free()?, free()?);
    let app = |(number, host): (usize, &String)| {
        // Options of a socket are said once. Only the first app is asked for over HTTPS.
        let listen = match number {
            0 => "listen {http} backlog=4096; listen {https} ssl backlog=4096;",
            _ => "listen {http};",
        };
        NGINX_APP.replace("{listen}", listen).replace("{host}", host).replace("{app}", &format!("app{number}"))
    };
    let apps: String = hosts.iter().enumerate().map(app).collect();
    let config = NGINX.replace("{apps}", &apps).replace("{buffers}", buffers).replace("{affinity}", affinity);
    let config = config.replace("{upstream}", &upstream.http.to_string());
    let threads = bed.threads();
    let server = nginx(bed, name, &config, http, Some(https), threads)?;
    Ok(Server { beside: upstream.pids.clone(), ..server })
}

pub fn haproxy(bed: &mut Bed, upstream: &Server) -> io::Result<Server> {
    let (http, https) = (free()?, free()?);
    let config = HAPROXY.replace("{upstream}", &upstream.http.to_string());
    let file = configure(bed, "haproxy", &config, http, Some(https), bed.threads())?;
    let mut command = bed.command("haproxy", true);
    command.arg("-q").arg("-f").arg(file);
    let pid = bed.spawn(command, "haproxy.log")?;
    reachable(http)?;
    Ok(Server { name: "haproxy", http, https: Some(https), pids: vec![pid], beside: upstream.pids.clone() })
}

/// What kamal-proxy is built on.
pub fn go(bed: &mut Bed, upstream: &Server) -> io::Result<Server> {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("go/main.go");
    let program = bed.folder.join("go-proxy");
    let built = std::process::Command::new("go").arg("build").arg("-o").arg(&program).arg(source).status();
    if !built.map_err(|error| io::Error::new(error.kind(), format!("go: {error}")))?.success() {
        return Err(io::Error::other("go did not build benches/proxy/go/main.go"));
    }
    let (http, https) = (free()?, free()?);
    let mut command = bed.command(program, true);
    command.arg(http.to_string()).arg(https.to_string()).arg(upstream.http.to_string());
    command.arg(bed.folder.join("cert.pem")).arg(bed.folder.join("key.pem"));
    let pid = bed.spawn(command, "go.out")?;
    reachable(http)?;
    reachable(https)?;
    Ok(Server { name: "go", http, https: Some(https), pids: vec![pid], beside: upstream.pids.clone() })
}

fn nginx(
    bed: &mut Bed,
    name: &'static str,
    config: &str,
    http: SocketAddr,
    https: Option<SocketAddr>,
    workers: usize,
) -> io::Result<Server> {
    let file = configure(bed, name, config, http, https, workers)?;
    let mut command = bed.command("nginx", https.is_some());
    command.arg("-p").arg(&bed.folder).arg("-c").arg(&file);
    let master = bed.spawn(command, "nginx.out")?;
    reachable(http)?;
    // It listens before it has workers, and theirs is the CPU time.
    Ok(Server { name, http, https, pids: with_children(master, workers)?, beside: Vec::new() })
}

fn configure(
    bed: &Bed,
    name: &str,
    config: &str,
    http: SocketAddr,
    https: Option<SocketAddr>,
    threads: usize,
) -> io::Result<std::path::PathBuf> {
    let plain = name.replace(' ', "-");
    let config = config
        .replace("{folder}", &bed.folder.to_string_lossy())
        .replace("{name}", &plain)
        .replace("{http}", &http.to_string())
        .replace("{https}", &https.map(|address| address.to_string()).unwrap_or_default())
        .replace("{threads}", &threads.to_string());
    let file = bed.folder.join(format!("{plain}.conf"));
    fs::write(&file, config)?;
    Ok(file)
}
