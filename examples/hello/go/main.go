// Command hello greets whoever asks.
package main

import (
	"fmt"
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		greeting := "hello " + r.URL.Query().Get("name")
		fmt.Fprintln(w, greeting) // breakpoint
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
