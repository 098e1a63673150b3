// A bare reverse proxy of Go's standard library: without routes, log and metrics, it costs as much CPU as kamal-proxy,
// which is built on it. `main <http> <https> <upstream> <certificate> <key>`.
package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	upstream, err := url.Parse("http://" + os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	// As many connections are kept as there are clients, and nothing is unpacked on the way.
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}
	go func() {
		log.Fatal(http.ListenAndServeTLS(os.Args[2], os.Args[4], os.Args[5], proxy))
	}()
	log.Fatal(http.ListenAndServe(os.Args[1], proxy))
}
